/**
 * Which browsers may see the live page. The address holds a token that is good for one browser: it is exchanged for a cookie. Every
 * request must name a host that the server has, so that no other name that points here gets an answer, and
 * must not come from another site's page.
 */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { networkInterfaces } from 'node:os';
import { hostText } from '../text.js';

/** Addresses that were given out and not used yet; the oldest is forgotten. */
const TOKENS_MAX = 16;
/** Browsers that were let in; the same. */
const BROWSERS_MAX = 64;
const SECRET_BYTES = 32;

const secret = (): string => randomBytes(SECRET_BYTES).toString('base64url');
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Secrets, of which only the digests are kept. */
class Secrets {
  readonly #max: number;
  readonly #digests: Buffer[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  make(): string {
    const made = secret();
    this.#digests.push(digest(made));
    if (this.#digests.length > this.#max) this.#digests.shift();
    return made;
  }

  /** Looks at every one, however early it matches. */
  has(text: string): boolean {
    return this.#find(text) >= 0;
  }

  /** True once for each secret. */
  use(text: string): boolean {
    const index = this.#find(text);
    if (index >= 0) this.#digests.splice(index, 1);
    return index >= 0;
  }

  #find(text: string): number {
    const wanted = digest(text);
    let found = -1;
    for (const [index, one] of this.#digests.entries()) if (timingSafeEqual(one, wanted)) found = index;
    return found;
  }
}

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

export class Access {
  readonly #tokens = new Secrets(TOKENS_MAX);
  readonly #browsers = new Secrets(BROWSERS_MAX);
  readonly #host: string;
  readonly #port: number;
  readonly #names: readonly string[];

  /**
   * @param host where it listens
   * @param names other names of this host, as they stand in a `Host` header
   */
  constructor(host: string, port: number, names: readonly string[]) {
    this.#host = host;
    this.#port = port;
    this.#names = names.map((name) => name.toLowerCase());
  }

  /** An address that lets one browser in. */
  newUrl(): string {
    const host = this.#host === '0.0.0.0' ? '127.0.0.1' : this.#host === '::' ? '::1' : this.#host;
    return `http://${hostText(host)}:${this.#port}/?token=${this.#tokens.make()}`;
  }

  /** True for a token that is still good; it is not from then on. */
  redeem(token: string): boolean {
    return this.#tokens.use(token);
  }

  /** The cookie that lets a browser in. */
  newCookie(): string {
    return `${this.#cookie}=${this.#browsers.make()}; HttpOnly; SameSite=Strict; Path=/`;
  }

  /** True for a browser that was let in. */
  knows({ cookie = '' }: IncomingHttpHeaders): boolean {
    const start = `${this.#cookie}=`;
    // Another port of this host may have set one of the same name, which then comes first.
    return cookie.split(/; */).some((one) => one.startsWith(start) && this.#browsers.has(one.slice(start.length)));
  }

  /** Why a request gets no answer, from any client. */
  refusal({ host = '', origin, ...headers }: IncomingHttpHeaders, isAction: boolean): string | undefined {
    const name = host.toLowerCase();
    const isOther = this.#names.includes(name);
    if (!isOther && !this.#isOwn(name)) return 'This server has no such name.';
    if (origin === undefined ? isAction : origin !== `http://${name}` && !(isOther && origin === `https://${name}`)) {
      return 'This does not come from the page.';
    }
    const site = headers['sec-fetch-site'];
    // A link on another page may lead here: the token, or the cookie, then decides.
    const isVisit = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document' && !isAction;
    if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isVisit) {
      return 'This does not come from the page.';
    }
    return undefined;
  }

  /** One port of a host does not hide its cookies from the others: each has a name of its own. */
  get #cookie(): string {
    return `sockchart-${this.#port}`;
  }

  #isOwn(name: string): boolean {
    const suffix = `:${this.#port}`;
    const isBare = this.#port === 80 && !/:\d+$/.test(name);
    if (!isBare && !name.endsWith(suffix)) return false;
    const host = isBare ? name : name.slice(0, -suffix.length);
    return this.#hosts().has(host);
  }

  #hosts(): ReadonlySet<string> {
    const hosts = WILDCARDS.has(this.#host)
      ? Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? [])
      : [this.#host];
    const names = new Set(hosts.map((host) => hostText(host.toLowerCase())));
    if (names.has('127.0.0.1') || names.has('[::1]')) names.add('localhost');
    return names;
  }
}
