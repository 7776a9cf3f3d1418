/** A small name server on loopback: over UDP, and over TCP where an answer is truncated. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import * as packet from 'dns-packet';
import type { Bench } from './bench.js';

interface Service {
  readonly target: string;
  readonly port: number;
  readonly weight?: number;
  readonly priority?: number;
}

/** What it says of one name: its addresses of both kinds, its services, or how it fails. */
export type Zone = Told | (() => Promise<Told>);

type Told =
  | readonly string[]
  | { readonly services: readonly Service[] }
  | { readonly ttl: number; readonly addresses: readonly string[] }
  | { readonly truncated: readonly string[] }
  | { readonly a: Told; readonly aaaa: Told }
  | 'SERVFAIL'
  | 'NXDOMAIN'
  | 'REFUSED'
  | 'silent';

const RCODES = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;

export class NameServer {
  /** By name. */
  readonly zones = new Map<string, Zone>();
  /** Each question, as `A db.test`. */
  readonly asked: string[] = [];
  readonly #udp = createSocket('udp4');
  readonly #tcp = createServer((socket) => this.#serve(socket));
  readonly #sockets = new Set<Socket>();
  #isClosed = false;

  /** Where it is, as `nameservers` takes it. */
  get at(): string {
    return `127.0.0.1:${(this.#tcp.address() as AddressInfo).port}`;
  }

  async listen(): Promise<this> {
    this.#tcp.listen(0, '127.0.0.1');
    await once(this.#tcp, 'listening');
    this.#udp.bind((this.#tcp.address() as AddressInfo).port, '127.0.0.1');
    await once(this.#udp, 'listening');
    this.#udp.on('message', async (bytes, { port, address }) => {
      const answer = await this.#answer(packet.decode(bytes), true);
      if (answer !== undefined && !this.#isClosed) this.#udp.send(packet.encode(answer), port, address);
    });
    return this;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#udp.close();
    this.#tcp.close();
    await once(this.#tcp, 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let bytes = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', async (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const length = bytes.readUInt16BE(0);
        const question = packet.decode(bytes.subarray(2, 2 + length));
        bytes = bytes.subarray(2 + length);
        const answer = await this.#answer(question, false);
        if (answer !== undefined) socket.write(packet.streamEncode(answer));
      }
    });
  }

  async #answer({ id, questions = [] }: packet.Packet, isUdp: boolean): Promise<packet.Packet | undefined> {
    const [{ name = '', type = 'A' } = {}] = questions as [packet.Question?];
    this.asked.push(`${type} ${name}`);
    const given = this.zones.get(name.toLowerCase()) ?? 'NXDOMAIN';
    let zone: Told = typeof given === 'function' ? await given() : given;
    if (typeof zone === 'object' && 'a' in zone) zone = type === 'AAAA' ? zone.aaaa : zone.a;
    if (zone === 'silent') return undefined;
    const head = { type: 'response', id, questions } as const;
    const flags = packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE;
    if (typeof zone === 'string') return { ...head, flags: flags | RCODES[zone] };
    if ('truncated' in zone && isUdp) return { ...head, flags: flags | packet.TRUNCATED_RESPONSE };
    return { ...head, flags, answers: recordsOf(name, type, zone) };
  }
}

function recordsOf(name: string, type: string, zone: Exclude<Told, string>): packet.Answer[] {
  if ('services' in zone) {
    if (type !== 'SRV') return [];
    return zone.services.map(({ target, port, weight = 0, priority = 0 }) => ({
      type: 'SRV',
      name,
      ttl: 0,
      data: { target, port, weight, priority },
    }));
  }
  const ttl = 'ttl' in zone ? zone.ttl : 0;
  const addresses = 'ttl' in zone ? zone.addresses : 'truncated' in zone ? zone.truncated : (zone as readonly string[]);
  const isKind = (address: string): boolean => (address.includes(':') ? 'AAAA' : 'A') === type;
  return addresses.filter(isKind).map((data) => ({ type: type as 'A' | 'AAAA', name, ttl, data }));
}

/** One that is closed after the test. */
export async function nameServer(bench: Bench, zones: Readonly<Record<string, Zone>> = {}): Promise<NameServer> {
  const server = await new NameServer().listen();
  for (const [name, zone] of Object.entries(zones)) server.zones.set(name, zone);
  bench.later(() => server.close());
  return server;
}
