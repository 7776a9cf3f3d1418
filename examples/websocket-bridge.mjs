// Carries TCP over WebSockets, one connection over each, as bytes in binary messages; it needs the package ws.
// node examples/websocket-bridge.mjs serve 8080 5432                        WebSockets in, TCP out
// node examples/websocket-bridge.mjs dial 5433 ws://127.0.0.1:8080          TCP in, WebSockets out
// A WebSocket cannot end one direction: when one side ends, the conversation is over.
import { createServer } from 'node:http';
import { closeOnSignals, createProxy } from 'sockchart';
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws';

const [role, port = 8080, target] = process.argv.slice(2);
const host = '127.0.0.1';
/** What ws says of a WebSocket that closed without a close frame. */
const CUT = 1006;

function serve() {
  const proxy = createProxy({ servers: [{ host, port: Number(target) }], attemptsMax: 1 });
  const server = createServer();
  new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (webSocket) => {
    proxy.adopt(streamOf(webSocket));
  });
  closeOnSignals(proxy, { timeoutMs: 5_000, onSignal: () => server.close() });
  server.listen(Number(port), host, () => console.log(`listening on ${host}:${server.address().port}`));
  return proxy;
}

function dial() {
  const proxy = createProxy({
    listen: { host, port: Number(port) },
    servers: [{ name: target, connect }],
    attemptsMax: 1,
  });
  closeOnSignals(proxy, { timeoutMs: 5_000 });
  proxy.on('running', () => console.log(`listening on ${host}:${proxy.addresses[0].port}`));
  return proxy;
}

/** Resolves once the WebSocket is open, so that one that is refused is a failed attempt. */
function connect(server, { signal }) {
  const webSocket = new WebSocket(server.name, { perMessageDeflate: false });
  signal.addEventListener('abort', () => webSocket.terminate());
  return new Promise((resolve, reject) => {
    webSocket.on('open', () => resolve(streamOf(webSocket))).on('error', reject);
  });
}

/** Without a close frame the conversation was cut: the stream must not look as if it had ended. */
function streamOf(webSocket) {
  webSocket.on('close', (code) => code === CUT && stream.destroy(new Error('the WebSocket was cut')));
  const stream = createWebSocketStream(webSocket);
  return stream;
}

const proxy = role === 'serve' ? serve() : dial();
await proxy.start();
console.log((await proxy.closed).ending);
