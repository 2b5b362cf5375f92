import { expect, test } from 'vitest';
import { allows, type BotState, type Move, type MoveName, moves, states } from '../../lib/model/states.ts';

const all = Object.entries(moves) as [MoveName, Move][];
const leaving = (state: BotState) => all.filter(([, { from }]) => from.includes(state));
const targets = (state: BotState) => new Set(leaving(state).map(([, { to }]) => to));

test.each(all)('%s leads from states that exist to a state that exists', (_name, { from, to }) => {
  expect(from.length).toBeGreaterThan(0);
  expect(new Set(from).size).toBe(from.length);
  expect([...from, to].filter((state) => !states.includes(state))).toEqual([]);
});

test('every state can be reached from queued', () => {
  const reached = new Set<BotState>(['queued']);
  for (const state of reached) for (const target of targets(state)) reached.add(target);
  expect([...reached].sort()).toEqual([...states].sort());
});

test.each(['blocked', 'failed'] as const)('only an operator leads a bot out of %s', (state) => {
  expect(leaving(state).map(([name]) => name)).toEqual(['requeue']);
});

test('a registered bot stays so, or an operator is called: nothing registers it a second time', () => {
  expect(targets('registered')).toEqual(new Set(['registered', 'blocked']));
  expect(leaving('registered').map(([name]) => name)).not.toContain('requeue');
});

test('a bot whose POST has an unknown outcome can come to every end', () => {
  expect(targets('unsure')).toEqual(
    new Set(['queued', 'registering', 'registered', 'external', 'waiting', 'unsure', 'blocked', 'failed']),
  );
});

test('doubt arises only from a POST', () => {
  expect(moves.mark_unsure.from).toEqual(['enrolling', 'registering', 'unsure']);
});

test('out of doubt back into the queue leads only the move that an operator makes knowingly', () => {
  const back = leaving('unsure').filter(([, { to }]) => to === 'queued');
  expect(back.map(([name]) => name)).toEqual(['resend']);
});

test('an account that is being made is neither in Safe nor outside: those moves are not for it', () => {
  expect(targets('enrolling')).toEqual(new Set(['enrolled', 'waiting', 'unsure', 'blocked', 'failed']));
  expect(targets('enrolled')).toEqual(new Set());
});

test.each(['enrolling', 'registering', 'unsure', 'registered', 'enrolled'] as const)(
  'nobody queues a bot anew that is %s',
  (state) => {
    expect(allows('requeue', state)).toBe(false);
  },
);

test('allows answers by the table', () => {
  for (const [name, { from }] of all)
    for (const state of states)
      expect(allows(name, state), `${name} from ${state}`).toBe(from.includes(state));
});
