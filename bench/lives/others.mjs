/**
 * The client's life with other means: by hand, and with two small libraries. They have its states on the way to a normal
 * end and its commands, and what it notes becomes a counter; its timers, its causes and the other ways to end they lack.
 */

/** @typedef {import('./child.mjs').Contender} Contender */

/** What the machine commands in that life, as many as there. */
const COMMANDS = {
  admit: { type: 'owner.admit' },
  establish: { type: 'owner.establish' },
  unlink: { type: 'socket.unlink' },
  release: { type: 'owner.release' },
};

function makeHost() {
  return {
    performed: 0,
    /** @param {{ type: string }} _command */
    perform(_command) {
      this.performed++;
    },
    finish() {},
  };
}

const ACCEPTED = 0;
const ESTABLISHED = 1;
const PEER_ENDED = 2;
const LOCAL_ENDED = 3;
const BOTH_ENDED = 4;
const ENDED = 5;

class ByHand {
  state = ACCEPTED;
  flushed = true;
  noted = 0;

  /** @param {ReturnType<typeof makeHost>} host */
  constructor(host) {
    this.host = host;
  }

  start() {
    this.host.perform(COMMANDS.admit);
  }

  /** @param {{ type: string }} event */
  send({ type }) {
    switch (this.state) {
      case ACCEPTED:
        if (type !== 'owner.admitted') return;
        this.state = ESTABLISHED;
        this.flushed = false;
        this.host.perform(COMMANDS.establish);
        break;
      case ESTABLISHED:
        if (type === 'socket.ended') {
          this.state = PEER_ENDED;
          this.noted++;
        } else if (type === 'socket.finished') {
          this.state = LOCAL_ENDED;
          this.flushed = true;
          this.noted++;
        }
        break;
      case PEER_ENDED:
        if (type !== 'socket.finished') return;
        this.state = BOTH_ENDED;
        this.flushed = true;
        break;
      case LOCAL_ENDED:
        if (type !== 'socket.ended') return;
        this.state = BOTH_ENDED;
        break;
      case BOTH_ENDED:
        if (type !== 'socket.closed') return;
        this.state = ENDED;
        this.host.perform(COMMANDS.unlink);
        this.host.perform(COMMANDS.release);
        this.host.finish();
        break;
    }
  }
}

const EVENTS = ['owner.admitted', 'socket.ended', 'socket.finished', 'socket.closed'].map((type) => ({ type }));

/** @param {unknown} state @param {unknown} expected */
function expect(state, expected) {
  if (state !== expected) throw new Error(`the client is ${state}, and should be ${expected}`);
}

/** @returns {Contender} */
export function byHand() {
  const host = makeHost();
  const resting = EVENTS.slice(0, 1);
  /** @param {typeof EVENTS} events */
  const run = (events) => {
    const life = new ByHand(host);
    life.start();
    for (const event of events) life.send(event);
    return life;
  };
  return {
    live: () => run(EVENTS),
    rest: () => run(resting),
    check(life) {
      expect(life.state, ENDED);
      return host.performed;
    },
  };
}

/** @returns {Promise<Contender>} */
export async function robot3() {
  const { action, createMachine, interpret, reduce, state, transition } = /** @type {any} */ (await import('robot3'));
  const host = makeHost();
  /** @param {{ type: string }} command */
  const perform = (command) => action(() => host.perform(command));
  /** @param {object} changes */
  const note = (changes) =>
    reduce((/** @type {any} */ context) => ({ ...context, ...changes, noted: context.noted + 1 }));
  const machine = createMachine(
    {
      accepted: state(
        transition('owner.admitted', 'established', note({ flushed: false }), perform(COMMANDS.establish)),
      ),
      established: state(
        transition('socket.ended', 'peerEnded', note({})),
        transition('socket.finished', 'localEnded', note({ flushed: true })),
      ),
      peerEnded: state(transition('socket.finished', 'bothEnded', note({ flushed: true }))),
      localEnded: state(transition('socket.ended', 'bothEnded')),
      bothEnded: state(transition('socket.closed', 'ended', perform(COMMANDS.unlink), perform(COMMANDS.release))),
      ended: state(),
    },
    () => ({ flushed: true, noted: 0 }),
  );
  /** @param {string[]} events */
  const run = (events) => {
    const life = interpret(machine, () => {});
    host.perform(COMMANDS.admit);
    for (const event of events) life.send(event);
    return life;
  };
  const names = EVENTS.map(({ type }) => type);
  const resting = names.slice(0, 1);
  return {
    live: () => run(names),
    rest: () => run(resting),
    check(life) {
      expect(life.machine.current, 'ended');
      return host.performed;
    },
  };
}

/** @returns {Promise<Contender>} */
export async function javascriptStateMachine() {
  // @ts-expect-error: it has no types
  const { default: StateMachine } = await import('javascript-state-machine');
  const host = makeHost();
  const Client = StateMachine.factory({
    init: 'accepted',
    transitions: [
      { name: 'admitted', from: 'accepted', to: 'established' },
      { name: 'ended', from: 'established', to: 'peerEnded' },
      { name: 'finished', from: 'established', to: 'localEnded' },
      { name: 'finished', from: 'peerEnded', to: 'bothEnded' },
      { name: 'ended', from: 'localEnded', to: 'bothEnded' },
      { name: 'closed', from: 'bothEnded', to: 'over' },
    ],
    data: () => ({ flushed: true, noted: 0 }),
    methods: {
      /** @this {any} */
      onAdmitted() {
        this.flushed = false;
        host.perform(COMMANDS.establish);
      },
      /** @this {any} */
      onEnded() {
        this.noted++;
      },
      /** @this {any} */
      onFinished() {
        this.flushed = true;
      },
      onClosed() {
        host.perform(COMMANDS.unlink);
        host.perform(COMMANDS.release);
      },
    },
  });
  const rest = () => {
    const life = new Client();
    host.perform(COMMANDS.admit);
    life.admitted();
    return life;
  };
  return {
    live() {
      const life = rest();
      life.ended();
      life.finished();
      life.closed();
      return life;
    },
    rest,
    check(life) {
      expect(life.state, 'over');
      return host.performed;
    },
  };
}
