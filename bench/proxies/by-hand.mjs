/**
 * The same relay with nothing in it that could be left out: five handlers shared by all sockets, the peer a property,
 * no closure for a connection. Half-closed connections live on, and a fast side waits for a slow one. No timeouts, no
 * retries, no reports: what is left is the price of `net`.
 */
import net from 'node:net';
import { backend, listen } from './report.mjs';

/** @typedef {net.Socket & { peer: Paired }} Paired */

/** @this {Paired} @param {Buffer} chunk */
function onData(chunk) {
  if (!this.peer.write(chunk)) this.pause();
}

/** @this {Paired} */
function onDrain() {
  this.peer.resume();
}

/** @this {Paired} */
function onEnd() {
  this.peer.end();
}

/** @this {Paired} */
function onError() {
  this.peer.destroy();
}

/** @this {Paired} */
function onClose() {
  // After both ends this finds the peer closed or closing by itself; else it was cut.
  if (!this.readableEnded || !this.writableFinished) this.peer.destroy();
}

/** @param {Paired} socket @param {Paired} peer */
function join(socket, peer) {
  socket.peer = peer;
  socket.on('data', onData);
  socket.on('drain', onDrain);
  socket.on('end', onEnd);
  socket.on('error', onError);
  socket.on('close', onClose);
}

const options = { ...backend, allowHalfOpen: true, noDelay: true };

listen(
  net.createServer({ allowHalfOpen: true, noDelay: true }, (accepted) => {
    const client = /** @type {Paired} */ (accepted);
    const socket = /** @type {Paired} */ (net.connect(options));
    join(client, socket);
    join(socket, client);
  }),
);
