/** Debian's Chromium, as the tests of the live page drive it. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const executablePath = [process.env.CHROMIUM, ...PLACES].find((path) => path !== undefined && existsSync(path));

/** Why the page cannot be tested here; nothing if it can. */
export const missingBrowser =
  executablePath === undefined
    ? 'No browser, so the live page was NOT tested. Install it with "apt-get install -y chromium", or set CHROMIUM to the path of one.'
    : undefined;

if (missingBrowser !== undefined) console.warn(`\n${missingBrowser}\n`);

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What a page did that it must not: said on the console, thrown, blocked, or asked of another host. */
export class Watched {
  readonly complaints: string[] = [];

  constructor(
    readonly page: Page,
    origin: string,
  ) {
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('dialog', (dialog) => {
      this.complaints.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !url.startsWith('data:') && !url.startsWith('blob:')) {
        this.complaints.push(`asked ${url}`);
      }
    });
  }

  expectNoComplaint(): void {
    expect(this.complaints).toEqual([]);
  }
}

/** Call it once at the top of a test file: one browser for all its tests, with a profile of its own. */
export function useBrowser(): { open(url: string, options?: { width?: number; dark?: boolean }): Promise<Watched> } {
  let browser: BrowserContext | undefined;
  let profile: string | undefined;
  beforeAll(async () => {
    if (executablePath === undefined) return;
    profile = mkdtempSync(join(tmpdir(), 'sc-chromium-'));
    browser = await chromium.launchPersistentContext(profile, {
      executablePath,
      args: ARGUMENTS,
      headless: true,
      viewport: { width: 1280, height: 800 },
    });
    browser.setDefaultTimeout(30_000);
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    if (profile !== undefined) rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }, 30_000);
  return {
    async open(url, { width = 1280, dark = false } = {}) {
      const page = await (browser as BrowserContext).newPage();
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
      const watched = new Watched(page, url.startsWith('file:') ? url : new URL(url).origin);
      await page.goto(url);
      return watched;
    },
  };
}
