/** The live page in a real browser, on real sockets: what it shows is what happens. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { Page } from 'playwright-core';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createInspectorServer, type InspectorOptions, type InspectorServer, record } from '../../src/inspect/index.js';
import { backend, cleanUp, Program } from '../cli/program.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { plainServer } from '../support/peers.js';
import { until, within } from '../support/wait.js';
import { missingBrowser, useBrowser, type Watched } from './page-browser.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 90_000 });

const bench = useBench();
const { makeProxy, makeBackend } = makers(bench);
const browser = useBrowser();

let inspectors: InspectorServer[] = [];
let visits: Watched[] = [];

afterEach(async () => {
  const seen = visits;
  visits = [];
  for (const { page } of seen) await page.close();
  await Promise.all(inspectors.map((inspector) => inspector.close()));
  inspectors = [];
  // No error on the console, nothing blocked, no request to anybody but this server: in no test.
  for (const visit of seen) visit.expectNoComplaint();
});

async function visit(options: InspectorOptions, look?: { width?: number; dark?: boolean }): Promise<Page> {
  const inspector = await createInspectorServer(options);
  inspectors.push(inspector);
  const page = await open(inspector.url, look);
  await page.locator('.link.live').waitFor();
  return page;
}

async function open(url: string, look?: { width?: number; dark?: boolean }): Promise<Page> {
  const watched = await browser.open(url, look);
  visits.push(watched);
  return watched.page;
}

/** What a tile says, once it says so. */
async function tile(page: Page, name: string, value: string): Promise<void> {
  await page
    .locator('.tile', { has: page.locator(`dt:text-is("${name}")`) })
    .locator(`dd:text-is("${value}")`)
    .waitFor();
}

/** The number on a state of a drawn machine, once it is there; an empty one is no number. */
async function badge(page: Page, machine: string, state: string, value: string): Promise<void> {
  const chart = page.locator(`section.frame[aria-label="Statechart of ${machine}"]`);
  const group = chart.locator(`g.state[data-state="${state}"]`);
  if (value === '') await group.and(page.locator(':not(.occupied)')).waitFor({ state: 'attached' });
  else await group.locator(`.badge text:text-is("${value}")`).waitFor();
}

/** Dials, and waits until bytes have come back: then the session relays. */
async function talk(at: { host: string; port: number }): Promise<Socket> {
  const socket = await bench.dial(at);
  const answered = once(socket, 'data');
  socket.write('hello');
  await within(10_000, 'an answer', answered);
  return socket;
}

describe.skipIf(missingBrowser !== undefined)(missingBrowser ?? 'the live page', () => {
  describe('overview', () => {
    test('its counts follow real sockets', async () => {
      const server = await bench.echo();
      const { proxy, at } = await makeProxy({ servers: [server.at] });
      const page = await visit({ proxies: [proxy] });
      await tile(page, 'alive', '0');
      expect(new URL(page.url()).search, 'the token stays where it can be read').toBe('');

      const clients = [await talk(at), await talk(at), await talk(at)];
      await tile(page, 'alive', '3');
      await tile(page, 'established', '3');
      await tile(page, 'from clients', '15 B');
      await badge(page, 'session', 'relaying.both', '3');
      await badge(page, 'client', 'live.established.open', '3');
      await badge(page, 'listener', 'serving.listening.accepting', '1');
      const row = page.getByRole('row', { name: `127.0.0.1:${server.port}` });
      await row.getByText('up', { exact: true }).waitFor();
      await row.getByRole('cell', { name: '3', exact: true }).waitFor();

      const lit = page.locator('g.edge[data-from="relaying.both"][data-event="client.ended"][data-level]');
      expect(await lit.count()).toBe(0);
      clients[0]?.end();
      await lit.waitFor({ state: 'attached' });
      await tile(page, 'alive', '2');
      await badge(page, 'session', 'relaying.both', '2');
      await badge(page, 'session', 'ended', '1');

      (await server.connection(1)).resetAndDestroy();
      await tile(page, 'dropped', '1');
      await page.getByText('backend ECONNRESET').waitFor();
      await badge(page, 'session', 'dropped', '1');
    });

    test('a killed backend shows as failover, and its page tells it', async () => {
      const [first, second] = [await bench.echo(), await bench.echo()];
      const page = await visit({});
      await tile(page, 'failed over', '0');
      const { backend } = makeBackend({ servers: [first.at, second.at] });
      backend.connect();
      const connection = await within(10_000, 'the backend', backend.ready());
      await badge(page, 'backend', 'active.established.open', '1');
      const before = connection.server.name;
      const [killed, other] = before === `127.0.0.1:${first.port}` ? [first, second] : [second, first];
      const accepted = await killed.connection();
      killed.server.close();
      accepted.resetAndDestroy();

      await tile(page, 'failed over', '1');
      await page
        .locator('g.edge[data-from="active.established"][data-to="active.failover"] title:text-is("taken 1 time")')
        .waitFor({ state: 'attached' });
      await page.getByRole('link', { name: 'Connections' }).click();
      await page.getByRole('link', { name: backend.id, exact: true }).click();
      await page
        .getByText(/^The backend reset the connection .* after it was established \(ECONNRESET\); failing over to /)
        .filter({ hasText: `failing over to 127.0.0.1:${other.port}` })
        .waitFor();
    });

    test('machines are shown large one by one, by keyboard too', async () => {
      const page = await visit({ proxies: [(await makeProxy({ servers: [(await bench.echo()).at] })).proxy] });
      await page.getByRole('tab', { name: 'all' }).focus();
      await page.keyboard.press('ArrowRight');
      await page.locator('.chart.large section[aria-label="Statechart of session"] svg').waitFor();
      expect(await page.getByRole('tab', { name: 'session' }).getAttribute('aria-selected')).toBe('true');
      expect(await page.locator('svg.statechart').count()).toBe(1);
    });
  });

  describe('connections', () => {
    test('are sorted, searched and filtered by the server, and only those that are seen are in the page', async () => {
      const server = await bench.echo();
      const { proxy, at } = await makeProxy({ servers: [server.at] });
      for (let group = 0; group < 10; group++) await Promise.all(Array.from({ length: 30 }, () => talk(at)));
      const page = await visit({ proxies: [proxy] });
      await page.keyboard.press('2');
      await page.getByText('300 of 300').waitFor();
      const rows = page.locator('tbody tr[aria-rowindex]');
      expect(await rows.count()).toBeLessThan(100);

      const ids = proxy.connections().map(({ id }) => id);
      await page.getByRole('button', { name: /^id/ }).click();
      await page.locator('th[aria-sort=ascending]').getByText('id').waitFor();
      await page.locator(`tr[aria-rowindex="2"] a:text-is("${ids[0]}")`).waitFor();
      await page.getByRole('button', { name: /^id/ }).click();
      await page.locator(`tr[aria-rowindex="2"] a:text-is("${ids.at(-1)}")`).waitFor();
      await page.locator('.scroll').focus();
      await page.keyboard.press('End');
      await page.locator(`tr[aria-rowindex="301"] a:text-is("${ids[0]}")`).waitFor();
      expect(await rows.count()).toBeLessThan(100);

      await page.keyboard.press('/');
      const { client } = proxy.connections()[123] as { client: { peer: string | undefined } };
      await page.keyboard.type(client.peer as string);
      await page.getByText('1 of 300').waitFor();
      await page.locator(`tr[aria-rowindex="2"] td:text-is("${client.peer}")`).waitFor();
      await page.getByRole('searchbox').fill('nobody is like that');
      await page.getByText('No connection matches.').waitFor();
      await page.getByRole('searchbox').fill('');
      await page.getByRole('combobox', { name: 'State' }).selectOption('session:relaying');
      await page.getByText('300 of 300').waitFor();
    });

    test('keys move, open and lead back', async () => {
      const server = await bench.echo();
      const { proxy, at } = await makeProxy({ servers: [server.at] });
      for (let index = 0; index < 3; index++) await talk(at);
      const [, second] = proxy.connections().map(({ id }) => id);
      const page = await visit({ proxies: [proxy] });
      await page.keyboard.press('2');
      await page.getByText('3 of 3').waitFor();
      await page.keyboard.press('j');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('j');
      await page.keyboard.press('k');
      await page
        .locator('tr.selected')
        .getByText(second as string)
        .waitFor();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { level: 1, name: second as string }).waitFor();
      await page.keyboard.press('Escape');
      await page
        .locator('tr.selected')
        .getByText(second as string)
        .waitFor();
      await page.keyboard.press('?');
      await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    });

    test('keys that come faster than the page is drawn are all heard', async () => {
      const server = await bench.echo();
      const { proxy, at } = await makeProxy({ servers: [server.at] });
      for (let index = 0; index < 4; index++) await talk(at);
      const third = proxy.connections()[2]?.id as string;
      const page = await visit({ proxies: [proxy] });
      const press = (...keys: string[]): Promise<void> =>
        page.evaluate(`for (const key of ${JSON.stringify(keys)}) {
          document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
        }`);
      await page.locator('.tabs [role=tab][aria-selected=true]').focus();
      await press('ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowLeft');
      const tabs = page.locator('.tabs [role=tab]');
      await page.locator(`.tabs [role=tab][aria-selected=true]:text-is("${await tabs.nth(2).innerText()}")`).waitFor();
      await page.keyboard.press('2');
      await page.getByText('4 of 4').waitFor();
      await press('j', 'j', 'ArrowDown', 'j', 'k', 'Enter');
      await page.getByRole('heading', { level: 1, name: third }).waitFor();
      await press('Escape');
      await page.locator('tr.selected').getByText(third).waitFor();
    });
  });

  describe('one connection', () => {
    test('is explained: where it is, since what, what may happen next, and what has happened', async () => {
      const server = await bench.echo();
      const { proxy, at } = await makeProxy({ servers: [server.at], durationMax: 600_000 });
      const page = await visit({ proxies: [proxy] });
      await tile(page, 'alive', '0');
      const client = await talk(at);
      await page.keyboard.press('2');
      await page.locator('tr[aria-rowindex="2"] a').click();

      const [info] = proxy.connections();
      await page.getByRole('heading', { level: 1, name: info?.id as string }).waitFor();
      await page.locator('g.state.current[data-state="relaying.both"]').waitFor();
      await page.getByText('Bytes flow both ways.', { exact: false }).first().waitFor();
      const timers = page.getByRole('list', { name: `Timers of ${info?.id}` });
      await timers.getByText(/durationMax fires in \d/).waitFor();
      const why = page.getByRole('region', { name: info?.id as string });
      await why.getByText(/events it would act on/).click();
      expect(await why.getByRole('rowheader').allTextContents()).toEqual([...(info?.accepts ?? ['?'])]);
      await page.locator('.history').getByText(`Connecting to 127.0.0.1:${server.port}`).waitFor();
      await page.locator('.history').getByText('Client and server are joined: bytes flow both ways').waitFor();
      const said = page.getByRole('region', { name: 'Sequence diagram, scrollable' }).locator('g');
      await said.getByText(`connect 127.0.0.1:${server.port}`).waitFor();
      await page.getByRole('tab', { name: 'backend' }).click();
      await page.locator('g.state.current[data-state="active.established.open"]').waitFor();

      client.resetAndDestroy();
      await page
        .getByText(/^The client reset the connection .* after it was established \(ECONNRESET\)/)
        .first()
        .waitFor();
      await page.getByText(/^ended at /).waitFor();
      await said.getByText('RST').first().waitFor();
    });

    test('an action asks first; where none is allowed there is none', async () => {
      const server = await bench.echo();
      const { proxy, at } = await makeProxy({ servers: [server.at] });
      const client = await talk(at);
      const [info] = proxy.connections();
      const reading = await visit({ proxies: [proxy] });
      const hash = `#/connections/${encodeURIComponent(info?.id as string)}`;
      await reading.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await reading.getByRole('heading', { level: 1, name: info?.id as string }).waitFor();
      expect(await reading.getByRole('button', { name: 'Abort' }).count()).toBe(0);

      const acting = await visit({ proxies: [proxy], actions: true });
      await acting.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await acting.getByRole('button', { name: 'Abort' }).click();
      const dialog = acting.getByRole('dialog', { name: `Abort ${info?.id}?` });
      await dialog.getByRole('button', { name: 'Cancel' }).click();
      await dialog.waitFor({ state: 'hidden' });
      expect(proxy.connections()).toHaveLength(1);

      const gone = once(client, 'error');
      await acting.getByRole('button', { name: 'Abort' }).click();
      await dialog.getByRole('button', { name: 'Abort' }).click();
      expect((await within(10_000, 'the reset', gone))[0]).toMatchObject({ code: 'ECONNRESET' });
      await acting.getByText(`${info?.id}: abort was asked for.`).waitFor();
      await acting.getByText(/^ended at /).waitFor();
      await until('it to be gone', () => proxy.connections().length === 0);
    });
  });

  describe('replay', () => {
    test('a recording is stepped through, forward and back, and exported as a file that needs no server', async () => {
      const file = bench.path('run.jsonl');
      const recorder = await record(file);
      const server = await bench.echo();
      const { proxy, at } = await makeProxy({ servers: [server.at] });
      (await talk(at)).end();
      await until('it to be gone', () => proxy.connections().length === 0);
      await recorder.stop();
      const total = recorder.steps;
      expect(total).toBeGreaterThan(10);

      const page = await visit({ proxies: [proxy] });
      await page.keyboard.press('4');
      await page.getByLabel('Open a recording').setInputFiles(file);
      await replayWorks(page, total);

      const saving = page.waitForEvent('download');
      await page.getByRole('button', { name: 'Export as HTML' }).click();
      const saved = bench.path('run.html');
      await (await saving).saveAs(saved);
      await replayWorks(await open(`file://${saved}`), total);
    });

    async function replayWorks(page: Page, total: number): Promise<void> {
      const position = (at: number) => page.locator(`output:text-is("${at} / ${total}")`).waitFor();
      await position(1);
      await page.getByRole('tab', { name: 'session' }).click();
      await page.keyboard.press('End');
      await position(total);
      await badge(page, 'session', 'ended', '1');
      await badge(page, 'session', 'relaying.both', '');
      // Back to where the session relayed, step by step.
      const relaying = page.locator('.now', { hasText: 'Client and server are joined' });
      for (let back = 0; back < total && (await relaying.count()) === 0; back++) await page.keyboard.press('ArrowLeft');
      await relaying.waitFor();
      await badge(page, 'session', 'relaying.both', '1');
      await page.locator('g.edge.taken[data-from="connecting"][data-to="relaying"]').waitFor({ state: 'attached' });
      await page.keyboard.press('ArrowLeft');
      await badge(page, 'session', 'relaying.both', '');
      await page.keyboard.press('ArrowRight');
      await badge(page, 'session', 'relaying.both', '1');
      await page.keyboard.press('Home');
      await position(0);
      // On a button it would press that.
      await page.locator('main').focus();
      await page.keyboard.press('Space');
      await position(total);
    }

    test('a file that is no recording is said to be none', async () => {
      const file = bench.path('other.txt');
      await writeFile(file, 'nothing\n{"at":1}\n');
      const page = await visit({});
      await page.keyboard.press('4');
      await page.getByLabel('Open a recording').setInputFiles(file);
      await page.getByText('other.txt has no steps in it.').waitFor();
    });
  });

  describe('nothing that comes from outside is more than text', () => {
    const HOSTILE = '<img src=x onerror=alert(1)><b>bold<';

    test('the name of a server', async () => {
      const path = bench.path(HOSTILE);
      await bench.peer(
        plainServer((socket) => void socket.pipe(socket)),
        { path },
      );
      const { proxy, at } = await makeProxy({ servers: [{ path }] });
      const page = await visit({ proxies: [proxy] });
      await tile(page, 'alive', '0');
      await talk(at);
      await page.getByRole('rowheader', { name: path }).waitFor();
      await page.keyboard.press('2');
      await page.locator('td.of-server', { hasText: HOSTILE }).click();
      await page.getByText(`Connecting to ${path}`).waitFor();
      await nothingOfIt(page);
    });

    test('a recording', async () => {
      const line = {
        at: 1,
        who: HOSTILE,
        machine: 'backend',
        from: HOSTILE,
        event: HOSTILE,
        to: HOSTILE,
        server: HOSTILE,
      };
      const cause = { initiator: 'peer', manner: 'reset', phase: 'established', code: HOSTILE };
      const lines = [line, { ...line, machine: '../../etc/passwd' }, { ...line, cause }, { ...line, who: '__proto__' }];
      const file = bench.path('hostile.jsonl');
      await writeFile(file, lines.map((one) => JSON.stringify(one)).join('\n'));
      const page = await visit({});
      await page.keyboard.press('4');
      await page.getByLabel('Open a recording').setInputFiles(file);
      await page.getByRole('tab', { name: 'backend' }).click();
      await page.keyboard.press('End');
      await page.locator('.now', { hasText: HOSTILE.slice(0, 10) }).waitFor();
      await nothingOfIt(page);
    });

    async function nothingOfIt(page: Page): Promise<void> {
      expect(await page.locator('img, b:text-is("bold")').count()).toBe(0);
    }

    test('another name for this host gets no page', async () => {
      const page = await visit({});
      const { port, search } = new URL(inspectors[0]?.newUrl() as string);
      const other = await page.context().newPage();
      const answer = await other.goto(`http://rebound.localhost:${port}/${search}`);
      expect(answer?.status()).toBe(403);
      expect(await other.locator('#app').count()).toBe(0);
      await other.close();
    });
  });

  test('the tour prints an address that works, and its kill is seen there', async () => {
    // Slowly: a browser has to start, and see it.
    const tour = new Program(['--speed', '0.4']);
    try {
      const [found] = await tour.shows(/^live page.*: (http\S+)$/);
      const page = await open(found?.[1] as string);
      await page.locator('.tile.warn', { hasText: 'failed over' }).waitFor({ timeout: 60_000 });
      await page
        .locator('.state:text-is("down")')
        .or(page.locator('.tile.bad', { hasText: 'dropped' }))
        .first()
        .waitFor();
      await page.goto('about:blank');
    } finally {
      tour.signal('SIGTERM');
      await within(30_000, 'the tour to end', tour.ended);
      cleanUp();
    }
  });

  test('a process that hangs is not shown as live, and is again when it goes on', async () => {
    const a = await backend('A');
    const program = new Program(['--listen', '127.0.0.1:0', ...a.flags, '--quiet', '--inspect']);
    try {
      const [found] = await program.shows(/^live page \(for one browser\): (http:\S+)$/);
      const page = await open(found?.[1] as string);
      await page.locator('.link.live').waitFor();
      program.signal('SIGSTOP');
      await page.locator('.link.silent', { hasText: 'what is shown is old' }).waitFor();
      program.signal('SIGCONT');
      await page.locator('.link.live').waitFor();
      await page.close();
      program.signal('SIGTERM');
      await within(30_000, 'the program to end', program.ended);
    } finally {
      cleanUp();
    }
  });

  test.each([
    { width: 1280, dark: false },
    { width: 390, dark: true },
  ])('no view is wider than a page of $width pixels, and each has its theme', async ({ width, dark }) => {
    const server = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [server.at] });
    await talk(at);
    const page = await visit({ proxies: [proxy] }, { width, dark });
    const [info] = proxy.connections();
    const colour = (): Promise<string> => page.evaluate('getComputedStyle(document.body).color');
    for (const hash of [
      '#/',
      '#/connections',
      `#/connections/${encodeURIComponent(info?.id as string)}`,
      '#/servers',
      `#/servers/${encodeURIComponent(proxy.servers.list[0]?.id as string)}`,
      '#/replay',
    ]) {
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' });
      expect(await page.evaluate('document.documentElement.scrollWidth'), hash).toBeLessThanOrEqual(width);
    }
    const first = await colour();
    const theme = page.getByRole('button', { name: /^Theme/ });
    await theme.click();
    const light = await colour();
    await theme.click();
    expect(first).toBe(dark ? await colour() : light);
    expect(light).not.toBe(await colour());
    await theme.click();
    expect(await theme.getAttribute('aria-label')).toBe('Theme: auto');
  });
});
