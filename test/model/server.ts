/**
 * The model of one server's world: checks that answer late, wrongly or never, traffic, a set that can spare it or not, sessions
 * that stay as long as they like, and an owner who asks for anything at any time.
 */
import type { EventObject } from 'xstate';
import { type Chance, type ModelRules, must } from './explore.js';

export interface ServerModel {
  readonly checks: 'none' | 'run' | 'paused' | 'stopped';
  readonly pace: string;
  readonly hasAddress: boolean;
  /** Its name has other addresses. */
  readonly isGone: boolean;
  readonly sessions: number;
  readonly isAwaited: boolean;
  readonly isCut: boolean;
  /** Its owner has taken it out, for a while or for good. */
  readonly wish: 'serve' | 'drain' | 'maintain' | 'remove';
  /** What this step has told: to the set, to its owner, to those that wait. */
  readonly told: string;
}

const CAUSE = { initiator: 'system', manner: 'error', code: 'EMODEL' };
const MOST = 2;

const isChoosable = (state: string): boolean => /^serving\.(up|suspect|recovering)/.test(state);
const isOut = (state: string): boolean => /^(draining|maintenance|leaving|removing|cutting|closed|aborted)/.test(state);

const isOver = (state: string): boolean => /^(removing|cutting|closed|aborted)/.test(state);

/** Its owner has removed it, or its name has other addresses. */
const mayEnd = ({ wish, isGone }: ServerModel): boolean => wish === 'remove' || isGone;

const emptied = (model: ServerModel): EventObject[] =>
  model.isAwaited && model.sessions === 0 ? [{ type: 'sessions.emptied' }] : [];

/** @param isNamed its address is one of a name, which may have others; then traffic does less, so that there is an end to it */
export const serverRules = (isChecked: boolean, isNamed = false): ModelRules<ServerModel> => ({
  initial: {
    checks: 'none',
    pace: '',
    hasAddress: true,
    isGone: false,
    sessions: 0,
    isAwaited: false,
    isCut: false,
    wish: 'serve',
    told: '',
  },

  perform(model, command) {
    const { type, pace, deliver } = command as EventObject & { pace: string; deliver: boolean };
    const { checks, told } = model;
    switch (type) {
      case 'checks.start':
        must(checks === 'none', 'Its checks start twice');
        return { model: { ...model, checks: 'run' } };
      case 'checks.pause':
        must(checks !== 'stopped' && checks !== 'none', 'It pauses checks that it has not');
        return { model: { ...model, checks: 'paused' } };
      case 'checks.resume':
        must(checks === 'paused', 'It resumes checks that run');
        return { model: { ...model, checks: 'run' } };
      case 'checks.stop':
        must(checks !== 'stopped', 'It stops its checks twice');
        must(mayEnd(model), 'It stops its checks for good, and was not removed');
        return { model: { ...model, checks: 'stopped' } };
      case 'pace.set':
        return { model: { ...model, pace } };
      case 'sessions.await': {
        // That it is empty, is another change.
        const now = { ...model, isAwaited: true, told: '' };
        return { model: now, reports: emptied(now) };
      }
      case 'sessions.cut': {
        must(mayEnd(model), 'It cuts sessions, and was not removed (P4)');
        // Those that linger, or are spread over a time, end later.
        const now = { ...model, isCut: true, ...(!deliver && { sessions: 0 }) };
        return { model: now, reports: deliver ? [] : emptied(now) };
      }
      case 'sessions.release':
        must(!isChoosable(told), 'It lets go of sessions, and is up');
        return { model };
      case 'set.changed':
      case 'owner.changed':
      case 'waiters.serve':
        return { model: { ...model, told: `${told} ${type}` } };
      default:
        throw new Error(`Nobody performs ${type}`);
    }
  },

  chances(model, state) {
    const { sessions, wish, checks } = model;
    const chances: Chance<ServerModel>[] = [];
    const may = (who: Chance<ServerModel>['who'], change: Partial<ServerModel>, event: object): void => {
      const { type } = event as EventObject;
      chances.push({ who, what: type, model: { ...model, ...change }, event: event as EventObject });
    };
    // A check may also answer late: after a pause, or the end.
    if (isChecked && checks !== 'none') {
      may('peer', {}, { type: 'check.passed' });
      may('peer', {}, { type: 'check.failed', cause: CAUSE });
    }
    const failed = { type: 'traffic.failed', cause: CAUSE, random: 0 };
    may('peer', {}, { ...failed, mayEject: true });
    may('peer', {}, { type: 'traffic.connected' });
    if (!isNamed) {
      may('peer', {}, { ...failed, mayEject: false });
      may('peer', {}, { ...failed, mayEject: true, mends: 5 });
      may('peer', {}, { type: 'traffic.dropped', cause: CAUSE, random: 0, mayEject: true });
      may('peer', {}, { type: 'traffic.lasted' });
    }
    if (state === 'serving.trying.free') may('owner', {}, { type: 'trial.granted' });
    may('owner', {}, { type: 'trial.givenUp' });
    // The adapter gives a place only at a server that may be chosen, or is tried.
    if ((isChoosable(state) || state.startsWith('serving.trying')) && sessions < MOST) {
      chances.push({ who: 'peer', what: 'a session begins', model: { ...model, sessions: sessions + 1 } });
    }
    if (sessions > 0) {
      const now = { ...model, sessions: sessions - 1 };
      const events = emptied(now);
      chances.push({
        who: model.isCut ? 'library' : 'peer',
        what: 'a session ends',
        model: now,
        ...(events.length > 0 && { events }),
      });
    }
    if (isNamed) {
      const change = (now: Partial<ServerModel>): Partial<ServerModel> => (isOver(state) ? {} : now);
      may('system', change({ hasAddress: true, isGone: false }), { type: 'address.found' });
      may('system', change(model.isGone ? {} : { hasAddress: false }), { type: 'address.lost', cause: CAUSE });
      may('system', change({ hasAddress: true, isGone: true }), { type: 'address.gone' });
    }
    if (wish !== 'remove' && !isOver(state)) {
      may('owner', { wish: 'serve' }, { type: 'server.up' });
      may('owner', { wish: 'drain' }, { type: 'server.drain' });
      may('owner', { wish: 'maintain' }, { type: 'server.maintain' });
    }
    may('owner', {}, { type: 'server.restore' });
    may('owner', { wish: 'remove' }, { type: 'server.close' });
    may('owner', { wish: 'remove' }, { type: 'server.abort' });
    return chances;
  },

  check(model, state, isDone, context) {
    const { checks, wish, told, sessions } = model;
    const { health, isDoubted, hasServed } = context as { health: number; isDoubted: boolean; hasServed: boolean };
    must(told === '' || /set\.changed/.test(told), 'Something is told, and the set does not know it first');
    must(told.split('owner.changed').length <= 2, 'One change is told twice (P11)');
    const { isGone } = model;
    must(wish === 'serve' || isOut(state), `Its owner wants it to ${wish}, and it may be chosen (P3)`);
    must(!isGone || isOut(state), 'Its name has other addresses, and it may be chosen (P3)');
    must(mayEnd(model) || !isOver(state), 'It ends, and nobody wants that');
    must(wish !== 'remove' || isOver(state), 'It is not removed');
    if (!isOver(state)) {
      const kept = { serve: 'wanted', drain: 'drained', maintain: 'maintained', remove: '' }[wish];
      must(isGone === (state === `leaving.${kept}`), `It is ${state}; its owner wants it to ${wish}`);
      must(wish !== 'serve' || isGone || !isOut(state), 'Its owner wants it to serve, and it is out');
      must(wish !== 'drain' || isGone || state === 'draining', 'It does not drain');
      must(wish !== 'maintain' || isGone || state === 'maintenance', 'It is not in maintenance');
    }
    const asked = model.hasAddress ? 'run' : 'paused';
    const wished = { serve: asked, drain: asked, maintain: 'paused', remove: 'stopped' }[wish];
    const runs = isOver(state) ? 'stopped' : wished;
    must(model.hasAddress || !isChoosable(state), 'It has no address, and may be chosen');
    must(checks === runs, `Its checks are ${checks}, and have to be ${runs}`);
    must(!isChoosable(state) || !isDoubted, 'It is doubted, and may be chosen');
    must(!isChoosable(state) || health > 0, 'Its checks say that it is down, and it may be chosen (P8)');
    must(!isChoosable(state) || hasServed, 'It serves, and does not know');
    must(!/recovering/.test(state) || hasServed, 'A slow start at the start (P7)');
    must(!/serving\.(ejected|trying|excluded)/.test(state) || isDoubted, 'It is out for no reason');
    if (!isDone) return;
    must(sessions === 0, 'It is removed, and has sessions (P4)');
    must(checks === 'stopped', 'It is removed, and is checked (P4)');
    must((state === 'aborted') === model.isCut, 'It does not say that it has cut its sessions');
  },

  forget: (model) => ({ ...model, told: '' }),

  // Only a removal has to come to an end; and an ejection, an exclusion and a slow start.
  mayRest: (model, state) => !mayEnd(model) && !/^serving\.(ejected|excluded|recovering)/.test(state),
});
