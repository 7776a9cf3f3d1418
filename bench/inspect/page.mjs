// @ts-check
/** The live page in Chromium, where there is one: what its process takes while it shows the table of connections. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Memory that is the process's own: what it shares with the rest of the browser is there anyway. @param {number} pid */
function ownBytes(pid) {
  const anonymous = /^RssAnon:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(anonymous) * 1_024;
}

/**
 * @param {string} url lets one browser in
 * @param {number} ms how long to look at each view
 * @returns {Promise<{ view: string, percent: number, bytes: number, others: number }[]>} of the page's process: CPU in %
 *   of one core, memory; and the CPU of all other processes of the browser together
 */
export async function measurePage(url, ms) {
  const executablePath = [process.env.CHROMIUM, ...PLACES].find((path) => path !== undefined && existsSync(path));
  if (executablePath === undefined) return [];
  const profile = mkdtempSync(join(tmpdir(), 'sc-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
  });
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    await page.goto(url);
    const browser = await /** @type {import('playwright-core').Browser} */ (context.browser()).newBrowserCDPSession();
    const usage = async () => {
      const { processInfo } = await browser.send('SystemInfo.getProcessInfo');
      const renderers = new Map(
        processInfo.flatMap(({ type, id, cpuTime }) => (type === 'renderer' ? [[id, cpuTime]] : [])),
      );
      const all = processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
      return { renderers, all, at: performance.now() };
    };
    const measured = [];
    for (const view of ['overview', 'connections']) {
      if (view === 'connections')
        await page
          .getByRole('link', { name: /connections/i })
          .first()
          .click();
      await page.waitForTimeout(3_000);
      const before = await usage();
      await page.waitForTimeout(ms);
      const after = await usage();
      const elapsed = after.at - before.at;
      // A spare renderer may wait beside the page's.
      const worked = [...after.renderers].map(([id, time]) => ({ id, time: time - (before.renderers.get(id) ?? 0) }));
      const [own] = worked.sort((a, b) => b.time - a.time);
      if (own === undefined) throw new Error('Chromium has no renderer.');
      const percent = (own.time * 100_000) / elapsed;
      const all = ((after.all - before.all) * 100_000) / elapsed;
      measured.push({ view, percent, bytes: ownBytes(own.id), others: all - percent });
    }
    return measured;
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}
