// @ts-check
import { mkdirSync, writeFileSync } from 'node:fs';
import { accepts, freePort, until } from './stage.mjs';

/** @typedef {import('./stage.mjs').Stage} Stage */
/** @typedef {import('./stage.mjs').Running} Running */

/** Bytes per second of what is under `/slow/`; nginx sends as much at once before it slows down. */
export const SLOW_RATE = 64 * 1_024;

/** An nginx in a folder of its own, which keeps its port when it is started again. */
class Nginx {
  /** @type {Running | undefined} */
  #running;

  /**
   * @param {Stage} stage
   * @param {string} program
   * @param {string} name
   * @param {number} port
   */
  constructor(stage, program, name, port) {
    this.stage = stage;
    this.program = program;
    this.name = name;
    this.port = port;
    this.prefix = stage.path(`nginx-${name}`);
    /** What it serves, and where uploads go. */
    this.root = `${this.prefix}/root`;
    mkdirSync(this.root, { recursive: true });
    writeFileSync(`${this.prefix}/nginx.conf`, this.#config());
  }

  #config() {
    // As root, the workers would run as a user that may not read the folder.
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${kind};`);
    return `${user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  ${temp.join(' ')}
  sendfile on;
  keepalive_timeout 5;
  client_max_body_size 0;
  server {
    listen 127.0.0.1:${this.port};
    root ${this.root};
    location / { dav_methods PUT; }
    location = /name { return 200 "${this.name}"; }
    location /slow/ { limit_rate ${SLOW_RATE}; }
  }
}
`;
  }

  get #args() {
    return ['-e', 'stderr', '-p', this.prefix, '-c', `${this.prefix}/nginx.conf`];
  }

  async start() {
    this.#running = await this.stage.serve(`nginx ${this.name}`, this.port, this.program, this.#args);
  }

  /** Kills all of its processes; nobody listens any more when this resolves. */
  async kill() {
    this.#running?.killGroup('SIGKILL');
    await this.#gone();
  }

  /** `nginx -s quit`: it stops listening and finishes what it has begun. */
  async quit() {
    await this.stage.must(this.program, [...this.#args, '-s', 'quit']);
    await this.#gone();
  }

  async #gone() {
    const running = this.#running;
    await until(`nginx ${this.name} to end`, 15_000, async () => {
      return running?.exit !== undefined && !(await accepts(this.port));
    });
  }
}

/**
 * @param {Stage} stage
 * @param {string} program
 * @param {string} name
 */
export async function makeNginx(stage, program, name) {
  return new Nginx(stage, program, name, await freePort());
}
