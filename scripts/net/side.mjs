// @ts-check
/** A server in a black hole: what clients of HAProxy and of the library get. */
import { freePort } from '../real/stage.mjs';
import { duel, startLineServer } from '../side/duel.mjs';
import { ADDRESS } from './lab.mjs';

/** @typedef {import('./scene.mjs').Scenario} Scenario */

/** @type {Scenario} */
export const side = {
  async play(lab) {
    const servers = [];
    for (const host of /** @type {const} */ (['one', 'two', 'two'])) {
      const port = await freePort();
      await startLineServer((...how) => lab.spawn(host, `server ${port}`, ...how), ADDRESS[host], port);
      servers.push({ host: ADDRESS[host], port });
    }
    const haproxy = lab.programs('haproxy');
    return await duel(lab.stage, haproxy, [
      {
        name: 'black hole',
        servers,
        request: 'NAME\r\n',
        byCheck: false,
        host: ADDRESS.proxy,
        launchProxy: (file, args) => lab.spawn('proxy', file, file, args),
        launchClients: (file, args) => lab.spawn('client', file, file, args),
        fail: () => lab.cut('one'),
        heal: () => lab.heal(),
      },
    ]);
  },
};
