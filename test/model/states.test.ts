import { expect, test } from 'vitest';
import { allows, type BotState, type Move, type MoveName, moves, states } from '../../lib/model/states.ts';

const all = Object.entries(moves) as [MoveName, Move][];
const leaving = (state: BotState) => all.filter(([, { from }]) => from.includes(state));
const targets = (state: BotState) => new Set(leaving(state).map(([, { to }]) => to));

test.each(all)('the move %s leads from states that exist to a state that exists', (_name, { from, to }) => {
  expect(from.length).toBeGreaterThan(0);
  expect(new Set(from).size).toBe(from.length);
  expect([...from, to].filter((state) => !states.includes(state))).toEqual([]);
});

test('every state can be reached from queued', () => {
  const reachable = new Set<BotState>(['queued']);
  for (const state of reachable) for (const target of targets(state)) reachable.add(target);
  expect([...reachable].sort()).toEqual([...states].sort());
});

test.each(['blocked', 'failed'] as const)('only an operator can move a bot out of %s', (state) => {
  expect(leaving(state).map(([name]) => name)).toEqual(['requeue']);
});

test('a registered bot stays registered or is blocked, and nothing registers it a second time', () => {
  expect(targets('registered')).toEqual(new Set(['registered', 'blocked']));
  expect(leaving('registered').map(([name]) => name)).not.toContain('requeue');
});

test('a bot whose POST has an unknown outcome can reach every state of a bot', () => {
  expect(targets('unsure')).toEqual(
    new Set(['queued', 'registering', 'registered', 'external', 'waiting', 'unsure', 'blocked', 'failed']),
  );
});

test('only a POST can make a bot unsure', () => {
  expect(moves.mark_unsure.from).toEqual(['enrolling', 'registering', 'unsure']);
});

test('the only move from unsure back into the queue is the one that an operator makes on purpose', () => {
  const back = leaving('unsure').filter(([, { to }]) => to === 'queued');
  expect(back.map(([name]) => name)).toEqual(['resend']);
});

test('an account that is being created can be neither registered nor external', () => {
  expect(targets('enrolling')).toEqual(new Set(['enrolled', 'waiting', 'unsure', 'blocked', 'failed']));
  expect(targets('enrolled')).toEqual(new Set());
});

test.each(['enrolling', 'registering', 'unsure', 'registered', 'enrolled'] as const)(
  'no move can queue a bot again that is %s',
  (state) => {
    expect(allows('requeue', state)).toBe(false);
  },
);

test('allows() answers as the table of moves says', () => {
  for (const [name, { from }] of all)
    for (const state of states)
      expect(allows(name, state), `${name} from ${state}`).toBe(from.includes(state));
});
