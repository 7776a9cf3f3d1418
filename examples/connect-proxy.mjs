// An HTTP proxy for CONNECT, as browsers, curl and npm use it for https: node examples/connect-proxy.mjs 3128
// Given the port of another such proxy, it goes on through that one: node examples/connect-proxy.mjs 3129 3128
import { createServer, request } from 'node:http';
import { closeOnSignals, createProxy } from 'sockchart';

const [port = 3128, upstream] = process.argv.slice(2).map(Number);

const proxy = createProxy({
  route: ({ data: { host, port } }) => ({ host, port, connect: upstream && through }),
  attemptsMax: 1, // the client decides whether to try again
  refusal: () => 'HTTP/1.1 502 Bad Gateway\r\n\r\n',
});
// This goes out before the first byte of the server.
proxy.on('established', ({ client }) => client.socket.write('HTTP/1.1 200 Connection Established\r\n\r\n'));

/** Opens a connection through the other proxy. */
function through({ name }, { signal }) {
  return new Promise((resolve, reject) => {
    request({ port: upstream, method: 'CONNECT', path: name, signal, agent: false })
      .on('connect', ({ statusCode }, socket, head) => {
        socket.unshift(head);
        if (statusCode === 200) resolve(socket);
        else reject(new Error(`the upstream proxy answers ${statusCode}`), socket.destroy());
      })
      .on('error', reject)
      .end();
  });
}

const server = createServer((_request, response) => response.writeHead(405).end('CONNECT only\n'));
server.on('connect', ({ url }, socket, head) => {
  const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(url) ?? [];
  if (host === undefined) socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  else proxy.adopt(socket, { head, data: { host, port: Number(port) } });
});

closeOnSignals(proxy, { timeoutMs: 5_000, onSignal: () => server.close() });
await proxy.start();
server.listen(port, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
console.log((await proxy.closed).ending);
