/**
 * What two relays by hand have in common: handlers that are shared by all sockets, and the peer as a property. Half-closed
 * connections live on, and a fast side waits for a slow one.
 */
/** @typedef {import('node:net').Socket & { peer: import('node:net').Socket }} Paired */

/** @this {Paired} @param {Buffer} chunk */
export function onData(chunk) {
  if (!this.peer.write(chunk)) this.pause();
}

/** @this {Paired} */
export function onDrain() {
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

/** @param {Paired} socket @param {import('node:net').Socket} peer */
export function pair(socket, peer) {
  socket.peer = peer;
  socket.on('end', onEnd);
  socket.on('error', onError);
  socket.on('close', onClose);
}
