/** The servers on the live page in a real browser: what an operator sees, and does. */

import type { Page } from 'playwright-core';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Server } from '../../src/index.js';
import {
  createInspectorServer,
  exportRecording,
  type InspectorOptions,
  type InspectorServer,
  record,
} from '../../src/inspect/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { until } from '../support/wait.js';
import { missingBrowser, useBrowser, type Watched } from './page-browser.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 90_000 });

const bench = useBench();
const { makeProxy } = makers(bench);
const browser = useBrowser();

let inspectors: InspectorServer[] = [];
let visits: Watched[] = [];
afterEach(async () => {
  const seen = visits;
  visits = [];
  for (const { page } of seen) await page.close();
  await Promise.all(inspectors.map((inspector) => inspector.close()));
  inspectors = [];
  for (const { complaints } of seen) expect(complaints).toEqual([]);
});

async function visit(options: InspectorOptions, hash: string, width = 1280): Promise<Watched> {
  const inspector = await createInspectorServer(options);
  inspectors.push(inspector);
  const watched = await browser.open(inspector.url, { width });
  visits.push(watched);
  await watched.page.locator('.link.live').waitFor();
  await watched.page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  return watched;
}

const hashOf = ({ id }: Server): string => `#/servers/${encodeURIComponent(id)}`;
const rowOf = (page: Page, name: string) => page.locator('table.servers tbody tr', { hasText: name });

describe.skipIf(missingBrowser !== undefined)(missingBrowser ?? 'servers on the live page', () => {
  test('a page that was given no proxy says how to give it one, and does not say that there is no server', async () => {
    await makeProxy({ servers: [(await bench.echo()).at] });
    const { page } = await visit({}, '#/servers');
    const told = (what: string) =>
      `To see ${what} here, add proxies: [proxy] to the options of createInspectorServer().`;
    await page.getByText(told('the servers of your proxy')).waitFor();
    await page.evaluate(`location.hash = '#/'`);
    await page.getByText(told('the servers of your proxy')).waitFor();
    await page.getByText(told('your proxy and its listeners')).waitFor();
    // One that has a proxy, whose servers are chosen elsewhere.
    const { proxy } = await makeProxy({ route: () => [] });
    const { page: other } = await visit({ proxies: [proxy] }, '#/servers');
    await other.getByText('There is no server.').waitFor();
  });

  test('the table: states, why, checks, and those that need a look first', async () => {
    const [good, bad] = [await bench.echo(), await bench.echo()];
    const { proxy, at } = await makeProxy({
      servers: [
        { ...good.at, name: 'good' },
        { ...bad.at, name: 'bad' },
        { ...good.at, name: 'spare', backup: true },
      ],
      balance: 'inOrder',
      checks: { interval: 100, fall: 2, rise: 1 },
    });
    const { page } = await visit({ proxies: [proxy] }, '#/servers');
    await rowOf(page, 'good').locator('.state.good:text-is("up")').waitFor();
    await rowOf(page, 'spare').getByText('spare').nth(1).waitFor();
    await rowOf(page, 'good')
      .getByRole('img', { name: /^last 20 checks: 20 passed, 0 failed; / })
      .waitFor();

    const reader = new Reader(await bench.dial(at));
    reader.socket.write('hello');
    await reader.has(5);
    await rowOf(page, 'good').locator('td.of-connections:text-is("1")').waitFor();
    await bad.stop();
    await rowOf(page, 'bad').locator('.state.bad:text-is("down")').waitFor();
    await rowOf(page, 'bad')
      .getByRole('cell', { name: 'the server refused the connection during a check (ECONNREFUSED)', exact: true })
      .waitFor();
    await rowOf(page, 'bad')
      .getByText(/^ ?for \d+ s$/)
      .waitFor();
    expect(await page.locator('table.servers tbody th').first().textContent()).toBe('bad');
    // The bars say on hover what they show.
    const titles = rowOf(page, 'bad').locator('svg.checks rect.failed title');
    expect(await titles.last().textContent()).toMatch(/^\d\d:\d\d:\d\d failed after .*: the server refused the conn/);

    await page.getByRole('button', { name: '1 down' }).click();
    await expect.poll(() => page.locator('table.servers tbody tr').count()).toBe(1);
    await page.getByRole('button', { name: '1 down' }).click();
    await page.keyboard.press('/');
    await page.keyboard.type('SPARE');
    await expect.poll(() => page.locator('table.servers tbody th').allTextContents()).toEqual(['spare spare']);

    const added = proxy.servers.add({ ...good.at, name: 'spare-2' });
    await rowOf(page, 'spare-2').waitFor();
    await added.remove();
    await rowOf(page, 'spare-2').waitFor({ state: 'detached' });
    // Without `actions` nothing can be asked of one.
    await rowOf(page, 'spare').getByRole('link', { name: 'spare' }).click();
    await page.getByRole('heading', { level: 1, name: 'spare' }).waitFor();
    await page.locator('.check-list li').first().waitFor();
    expect(await page.getByRole('button', { name: 'Drain' }).count()).toBe(0);
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { level: 1, name: 'Servers' }).waitFor();
  });

  test('the overview has a few of many, and leads to all', async () => {
    const servers = Array.from({ length: 150 }, (_, index) => ({ port: 1, name: `server-${index}` }));
    const { proxy } = await makeProxy({ servers });
    proxy.servers.list[120]?.maintain();
    const { page } = await visit({ proxies: [proxy] }, '#/');
    await page.getByText('149 untried').waitFor();
    await rowOf(page, 'server-120').getByText('the program asked for it').waitFor();
    expect(await page.locator('table.servers tbody tr').count()).toBe(8);
    await page.getByRole('link', { name: 'All 150 servers' }).click();
    await rowOf(page, 'server-120').waitFor();
    expect(await page.locator('table.servers tbody tr').count()).toBe(100);
    await page.getByRole('button', { name: 'Show more' }).click();
    await expect.poll(() => page.locator('table.servers tbody tr').count()).toBe(150);
  });

  test('one server: drained, weighed, refused, taken back, and what is said meanwhile', async () => {
    const echo = await bench.echo();
    const { proxy } = await makeProxy({
      servers: [{ ...echo.at, name: 'one' }, echo.at],
      checks: { interval: 200 },
    });
    const [server] = proxy.servers.list as [Server];
    await until('a check', () => server.state === 'serving.up');
    const { page } = await visit({ proxies: [proxy], actions: true }, hashOf(server));
    const button = (name: string) =>
      page.locator('.server-actions > .actions').getByRole('button', { name, exact: true });
    const dialog = page.locator('dialog[open]');
    await page.getByText('A check passed.', { exact: true }).waitFor();
    await page.getByText('Nothing has failed there.').waitFor();
    expect(await button('Take back').isDisabled()).toBe(true);
    await page.getByText('Take back: It serves already; restore ends an ejection or an exclusion.').waitFor();

    await button('Drain').click();
    await dialog.getByText('It gets no new connections. Those that it has go on').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect(server.state).toBe('serving.up');
    await button('Drain').click();
    await dialog.getByRole('button', { name: 'Drain' }).click();
    await page.getByText('An operator asked for it on the page.').waitFor();
    expect([server.state, server.cause.code]).toEqual(['draining', 'page']);
    await page.getByText('Drain: It drains already.').waitFor();
    await page.locator('.history li').first().getByText('draining').waitFor();
    await page.locator('g.state.current[data-state="draining"]').waitFor({ state: 'attached' });

    await button('Weight…').click();
    const input = dialog.getByRole('textbox');
    for (const wrong of ['257', '-1', '1.5', 'many', '']) {
      await input.fill(wrong);
      await dialog.getByRole('button', { name: 'Weight…' }).click();
      await dialog
        .getByRole('alert')
        .filter({ hasText: /^It was refused: .*a whole number from 0 to 256/ })
        .waitFor();
      // The next answer of the server changes nothing of what was typed.
      expect(await input.inputValue()).toBe(wrong);
    }
    expect(server.weight).toBe(1);
    await input.fill('7');
    await page.waitForResponse((response) => response.url().includes('/api/servers/'));
    expect(await input.inputValue()).toBe('7');
    await dialog.getByRole('button', { name: 'Weight…' }).click();
    await page.locator('.tile', { hasText: 'weight' }).locator('dd:text-is("7")').waitFor();
    expect(server.weight).toBe(7);

    // Another operator is faster: what was offered makes no sense any more.
    await button('Take back').click();
    server.up();
    await dialog.getByRole('button', { name: 'Take back' }).click();
    await dialog.getByRole('alert').filter({ hasText: 'It was refused: one: It serves already' }).waitFor();
    // The browser has said so, too.
    const [watched] = visits as [Watched];
    expect(watched.complaints.splice(0).every((text) => /\b(400|409)\b/.test(text))).toBe(true);
    await dialog.getByRole('button', { name: 'Cancel' }).click();

    await server.remove();
    await page.getByText('It is gone, and no longer remembered.').waitFor();
    expect(await page.locator('.server-actions').count()).toBe(0);
    expect(watched.complaints.splice(0)).toEqual([expect.stringContaining('404')]);
  });

  test('an ejection: when it ends, and a restore', async () => {
    const echo = await bench.echo();
    const dead = await bench.refusing();
    const { proxy, at } = await makeProxy({ servers: [{ port: dead, name: 'dead' }, echo.at], balance: 'inOrder' });
    const [server] = proxy.servers.list as [Server];
    const reader = new Reader(await bench.dial(at));
    reader.socket.write('hello');
    await reader.has(5);
    const { page } = await visit({ proxies: [proxy], actions: true }, hashOf(server), 390);
    await page.getByText('The server refused the connection while it was connecting (ECONNREFUSED).').waitFor();
    await page.getByText(/^It is tried again in \d+ s$/).waitFor();
    await page.getByText('It is not checked.', { exact: true }).waitFor();
    await page.locator('.tile', { hasText: 'recent ejections' }).locator('dd:text-is("1")').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await page.locator('.server-actions').getByRole('button', { name: 'Restore' }).click();
    await page.locator('dialog[open]').getByRole('button', { name: 'Restore' }).click();
    await page.locator('h2:text-is("Why it is untried")').waitFor();
    expect([server.state, server.cause.code]).toEqual(['serving.up', 'page']);
  });

  test('a recording and an exported page show its changes in the same words, and nothing can be asked there', async () => {
    const [bad, good] = [await bench.echo(), await bench.echo()];
    const file = bench.path('run.jsonl');
    const recorder = await record(file);
    const { proxy } = await makeProxy({
      servers: [{ ...bad.at, name: 'bad' }, good.at],
      checks: { interval: 20, fall: 1, rise: 1 },
    });
    const [server] = proxy.servers.list as [Server];
    await until('a check', () => server.hasAnswered || server.info().checks?.length !== 0);
    await bad.stop();
    await until('it to be down', () => server.state === 'serving.down');
    server.drain({ initiator: 'owner', manner: 'command', code: 'page' });
    await recorder.stop();
    const out = bench.path('run.html');
    await exportRecording(file, out);
    const watched = await browser.open(`file://${out}`);
    visits.push(watched);
    const { page } = watched;
    const only = page.getByRole('button', { name: `Only ${server.id}`, exact: true }).first();
    await page.getByRole('slider').focus();
    await page.keyboard.press('End');
    await only.click();
    await page.keyboard.press('End');
    const words = page.locator('.steps .words');
    await words
      .filter({ hasText: 'An operator asked for it on the page; it gets nothing new; its sessions go on.' })
      .waitFor();
    await words
      .filter({
        hasText: 'The server refused the connection during a check (ECONNREFUSED); its checks say that it is down.',
      })
      .waitFor();
    expect(await page.getByRole('button', { name: /Drain|Weight|Take back|Restore|Maintenance/ }).count()).toBe(0);
    expect(await page.getByRole('link', { name: 'Servers' }).count()).toBe(0);
  });
});
