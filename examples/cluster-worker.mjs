// What each worker of examples/cluster.mjs runs.
import { createProxy } from 'sockchart';

export default ({ data, worker, workers }) => {
  const proxy = createProxy({
    listen: data.listen,
    servers: data.servers,
    // All limits are a worker's own: it gets its part of what the whole may have.
    clientsMax: Math.ceil(data.clientsMax / workers),
  });
  proxy.on('sessionClosed', ({ outcome }) => console.log(`worker ${worker}: a session ${outcome.ending}`));
  return proxy;
};
