/** Machines of users on the live page in a real browser. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createMachine } from 'xstate';
import { systemClock } from '../../src/index.js';
import {
  createInspectorServer,
  exportRecording,
  type InspectorOptions,
  type InspectorServer,
  record,
} from '../../src/inspect/index.js';
import { compile } from '../../src/runtime/index.js';
import { useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { link, linkMachine } from './own-machine.js';
import { missingBrowser, useBrowser, type Watched } from './page-browser.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 90_000 });

const bench = useBench();
const { makeProxy } = makers(bench);
const browser = useBrowser();

const inspectors: InspectorServer[] = [];
const visits: Watched[] = [];
const running: { stop(): void }[] = [];

afterEach(async () => {
  const seen = visits.splice(0);
  for (const { page } of seen) await page.close();
  for (const one of running.splice(0)) one.stop();
  await Promise.all(inspectors.splice(0).map((inspector) => inspector.close()));
  for (const visit of seen) visit.expectNoComplaint();
});

async function open(url: string, look?: { width?: number; dark?: boolean }): Promise<Page> {
  const watched = await browser.open(url, look);
  visits.push(watched);
  return watched.page;
}

async function visit(options: InspectorOptions, look?: { width?: number; dark?: boolean }): Promise<Page> {
  const inspector = await createInspectorServer(options);
  inspectors.push(inspector);
  const page = await open(inspector.url, look);
  await page.locator('.link.live').waitFor();
  return page;
}

const start = (...given: Parameters<typeof link>): ReturnType<typeof link> => {
  const instance = link(...given);
  running.push(instance);
  return instance;
};

const chartOf = (page: Page) => page.locator('section.frame[aria-label="Statechart of link"]');
const badge = (page: Page, state: string, value: string): Promise<void> =>
  chartOf(page).locator(`g.state[data-state="${state}"] .badge text:text-is("${value}")`).waitFor();
const tile = (page: Page, name: string, value: string): Promise<void> =>
  page
    .locator('.tile', { has: page.locator(`dt:text-is("${name}")`) })
    .locator(`dd:text-is("${value}")`)
    .waitFor();

/** How much the texts of an instance's page differ from what is behind them, as WCAG counts it. */
const CONTRASTS = `(() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((text) => {
      const part = colour.startsWith('color') ? Number(text) : Number(text) / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const card = light(getComputedStyle(document.querySelector('.card')).backgroundColor);
  return [...document.querySelectorAll('.context th, .context pre, .emitted, .history .words')].map((element) => {
    const text = light(getComputedStyle(element).color);
    return (Math.max(text, card) + 0.05) / (Math.min(text, card) + 0.05);
  });
})()`;

describe.skipIf(missingBrowser !== undefined)(missingBrowser ?? 'a machine of a user’s', () => {
  test('alone: its picture with its instances, its totals, and nothing about proxies', async () => {
    const page = await visit({ machines: [linkMachine] });
    const instances = [start(), start('interpreted'), start()];
    await tile(page, 'link alive', '3');
    await badge(page, 'idle', '3');
    instances[0]?.send({ type: 'link.open' });
    instances[1]?.send({ type: 'link.close' });
    await badge(page, 'up.dialling', '1');
    await badge(page, 'closed', '1');
    await tile(page, 'link alive', '2');
    await page.locator('.live-count:text-is("2 alive")').waitFor();
    // A transition of the machine itself, which is in no state.
    await chartOf(page)
      .locator('g.edge[data-from=""][data-event~="link.close"][data-level]')
      .waitFor({ state: 'attached' });
    await chartOf(page)
      .locator('g.edge[data-from="idle"][data-event="link.open"][data-level]')
      .waitFor({ state: 'attached' });
    expect(await page.getByRole('heading', { name: 'Servers' }).count()).toBe(0);
    expect(await page.locator('svg.statechart').count()).toBe(1);
  });

  test('beside a proxy it is one of the statecharts', async () => {
    const { proxy } = await makeProxy({ servers: [(await bench.echo()).at] });
    const page = await visit({ proxies: [proxy], machines: [linkMachine] });
    start();
    await tile(page, 'link alive', '1');
    await badge(page, 'idle', '1');
    expect(await page.locator('svg.statechart').count()).toBe(9);
    await page.getByRole('heading', { name: 'Servers' }).waitFor();
  });

  test('its instances are listed, and one has its history and its context, by keyboard', async () => {
    const redact = (context: Record<string, unknown>) => ({ ...context, password: '•••' });
    const page = await visit({ machines: [linkMachine], redact });
    const [first, second] = [start(), start('interpreted', {}, { socket: { html: '<img src=x onerror=alert(1)>' } })];
    second.send({ type: 'link.open' });
    await tile(page, 'link alive', '2');
    await page.keyboard.press('2');
    await page.getByRole('heading', { name: 'Instances of link' }).waitFor();
    await page.getByText('2 of 2').waitFor();
    await page.getByRole('link', { name: first.id, exact: true }).waitFor();
    await page.getByLabel('State', { exact: true }).selectOption('link:up.dialling');
    await page.getByText('1 of 2').waitFor();
    await page.locator('.scroll').focus();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');

    await page.getByRole('heading', { name: second.id }).first().waitFor();
    await page.locator('.reason:text-is("on link.open: link is up, dialling")').waitFor();
    await page.locator('.history').getByText('emits link.dial').waitFor();
    await chartOf(page).locator('g.state.current[data-state="up.dialling"]').waitFor();
    const context = page.locator('table.context');
    await context.getByRole('row', { name: 'attempts 1' }).waitFor();
    await context.getByRole('row', { name: 'password "•••"' }).waitFor();
    await context.getByText('<img src=x onerror=alert(1)>').waitFor();
    expect(await page.getByText('hunter2').count()).toBe(0);
    await page.getByText(/^answerTimeout fires in/).waitFor();

    second.send({ type: 'link.lost' });
    await context.getByRole('row', { name: 'attempts 2' }).waitFor();
    second.send({ type: 'link.close' });
    await page.getByRole('heading', { name: 'What it remembered at its end' }).waitFor();
    await page.getByText(/^ended at/).waitFor();
  });

  test('one is stopped where that is allowed, and after a question', async () => {
    const [reading, acting] = [
      await visit({ machines: [linkMachine] }),
      await visit({ machines: [linkMachine], actions: true }),
    ];
    const instance = start();
    const hash = `#/connections/${encodeURIComponent(instance.id)}`;
    for (const page of [reading, acting]) {
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await page.getByRole('heading', { level: 1, name: instance.id }).waitFor();
    }
    expect(await reading.getByRole('button', { name: 'Stop' }).count()).toBe(0);
    expect(await acting.getByRole('button', { name: 'Abort' }).count()).toBe(0);
    await acting.getByRole('button', { name: 'Stop' }).click();
    const dialog = acting.getByRole('dialog', { name: `Stop ${instance.id}?` });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'hidden' });
    expect(instance.snapshot().status).toBe('active');
    await acting.getByRole('button', { name: 'Stop' }).click();
    await dialog.getByRole('button', { name: 'Stop' }).click();
    await acting.getByText(`${instance.id}: stop was asked for.`).waitFor();
    await acting.getByText(/^ended at /).waitFor();
    expect(instance.snapshot().status).toBe('stopped');
    expect(await acting.getByRole('button', { name: 'Stop' }).count()).toBe(0);
  });

  test('a machine without states, and with spaces in its id', async () => {
    const machine = createMachine({ id: 'a plain counter', context: { n: 0 }, on: { 'count up': {} } });
    const page = await visit({ machines: [machine] });
    const host = { id: 'counter 1', clock: systemClock, perform() {}, finish() {} };
    const instance = compile(machine).run(undefined, host);
    running.push(instance);
    instance.start();
    await page.locator('g.state[data-state="a plain counter"] .badge text:text-is("1")').waitFor();
    await page.keyboard.press('2');
    await page.getByRole('link', { name: 'counter 1' }).click();
    await page.getByRole('region', { name: 'counter 1' }).waitFor();
    await page.locator('table.context').getByRole('row', { name: 'n 0' }).waitFor();
  });

  test('a context that is not shown says why', async () => {
    const page = await visit({
      machines: [linkMachine],
      redact() {
        throw new Error('hunter2');
      },
    });
    const instance = start();
    await page.keyboard.press('2');
    await page.getByRole('link', { name: instance.id, exact: true }).click();
    await page.getByText('The context is not shown: redact has thrown an error.').waitFor();
    expect(await page.getByText('hunter2').count()).toBe(0);
  });

  test('a machine that is not listed has a table in place of a picture', async () => {
    const page = await visit({});
    const stranger = createMachine({
      id: 'stranger',
      initial: 'off',
      states: { off: { on: { press: 'on' } }, on: {} },
    });
    const host = { id: 'stranger#1', clock: systemClock, perform() {}, finish() {} };
    const instance = compile(stranger).run(undefined, host);
    running.push(instance);
    instance.start();
    instance.send({ type: 'press' });
    await page.getByText(/^There is no drawing of stranger/).waitFor();
    await page.getByRole('table', { name: 'States of stranger' }).getByRole('row', { name: 'on 1' }).waitFor();
    await page.getByRole('row', { name: 'off → on press 1' }).waitFor();
    // The page has asked for a picture that there is not.
    const [visited] = visits as [Watched];
    expect(visited.complaints.splice(0).join()).toMatch(/404/);
  });

  test('a recording of it is replayed with its picture and its contexts, on the page and in an exported file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sc-page-'));
    const [file, out] = [join(folder, 'run.jsonl'), join(folder, 'run.html')];
    const recorder = await record(file, { machines: [linkMachine] });
    const instance = start();
    instance.send({ type: 'link.open' });
    instance.send({ type: 'link.lost' });
    await recorder.stop();
    await exportRecording(file, out, { machines: [linkMachine] });

    const live = await visit({ machines: [linkMachine] });
    await live.keyboard.press('4');
    await live.getByLabel('Open a recording').setInputFiles(file);
    for (const page of [live, await open(pathToFileURL(out).href)]) {
      await page.getByLabel('Position', { exact: true }).getByText('1 / 3').waitFor();
      await page.keyboard.press('ArrowRight');
      await chartOf(page).locator('g.state.current[data-state="up.dialling"]').waitFor();
      const context = page.locator('table.context');
      await context.getByRole('row', { name: 'attempts changed 1' }).waitFor();
      await page.keyboard.press('ArrowRight');
      await context.getByRole('row', { name: 'attempts changed 2' }).waitFor();
      await page.locator('.steps').getByText('emits link.dial').first().waitFor();
      await page.keyboard.press('Home');
      expect(await context.count()).toBe(0);
    }
    await rm(folder, { recursive: true });
  });

  test.each([
    ['light', 1_280, false],
    ['dark', 1_280, true],
    ['light, narrow', 390, false],
    ['dark, narrow', 390, true],
  ])('fits, and can be read: %s', async (_what, width, dark) => {
    const page = await visit({ machines: [linkMachine] }, { width, dark });
    const instance = start('compiled', {}, { socket: { text: 'x'.repeat(900) } });
    await badge(page, 'idle', '1');
    for (const hash of ['#/', '#/connections', `#/connections/${encodeURIComponent(instance.id)}`]) {
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      if (hash.includes('link')) await page.locator('table.context').waitFor();
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      expect(wide).toBeLessThanOrEqual(0);
    }
    const contrasts = await page.evaluate<number[]>(CONTRASTS);
    expect(contrasts.length).toBeGreaterThan(3);
    for (const contrast of contrasts) expect(contrast).toBeGreaterThan(4.5);
  });
});
