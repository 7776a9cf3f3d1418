/**
 * The same relay with nothing in it that could be left out: five handlers shared by all sockets, the peer a property,
 * no closure for a connection. Half-closed connections live on, and a fast side waits for a slow one. No timeouts, no
 * retries, no reports: what is left is the price of `net`.
 */
import net from 'node:net';
import { onData, onDrain, pair } from './pairs.mjs';
import { backend, listen } from './report.mjs';

/** @typedef {import('./pairs.mjs').Paired} Paired */

/** @param {Paired} socket @param {Paired} peer */
function join(socket, peer) {
  pair(socket, peer);
  socket.on('data', onData);
  socket.on('drain', onDrain);
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
