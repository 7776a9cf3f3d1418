/**
 * What `onread` gives: bytes from the backend are read into a buffer of a pool instead of a fresh one each time. Not a
 * proxy to imitate (Node has it for sockets that connect, not for those accepted), but a mark to compare with.
 */
import net from 'node:net';
import { onData, onDrain, pair } from './pairs.mjs';
import { backend, listen } from './report.mjs';

/** @typedef {import('./pairs.mjs').Paired} Paired */

const BUFFER_BYTES = 65_536;
const NOTHING = Buffer.alloc(0);

/** @type {Uint8Array[]} */
const pool = [];

listen(
  net.createServer({ allowHalfOpen: true, noDelay: true }, (accepted) => {
    const client = /** @type {Paired} */ (accepted);
    const buffer = pool.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    const resume = () => socket.resume();
    const socket = /** @type {Paired} */ (
      net.connect({
        ...backend,
        allowHalfOpen: true,
        noDelay: true,
        onread: {
          buffer,
          callback(bytes, filled) {
            client.write(/** @type {Buffer} */ (filled).subarray(0, bytes));
            if (client.writableLength === 0) return true;
            // The system has not taken all of it: the buffer must not be filled again until it has.
            client.write(NOTHING, resume);
            return false;
          },
        },
      })
    );
    pair(client, socket);
    pair(socket, client);
    client.on('data', onData);
    socket.on('drain', onDrain);
    socket.on('close', () => {
      // Else it is still being written, and goes with the client.
      if (client.writableLength === 0) pool.push(buffer);
    });
  }),
);
