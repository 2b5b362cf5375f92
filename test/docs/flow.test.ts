import { expect, test } from 'vitest';
import { functionNames } from '../../lib/model/deployment.ts';
import { type Move, moves, states } from '../../lib/model/states.ts';
import { timing } from '../../lib/model/timing.ts';
import { codeColumn, readPage, section, tableRows } from './page.ts';

const page = readPage('docs/flow.md');

const diagram = (): readonly string[] => {
  const drawn = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(page)?.[1];
  return (drawn ?? '').split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
};

test('the picture shows every move from every state it may start from, and no other', () => {
  const [start, ...drawn] = diagram();
  expect(start).toBe('[*] --> queued');
  const known = (Object.entries(moves) as [string, Move][]).flatMap(([name, { from, to }]) =>
    from.map((state) => `${state} --> ${to}: ${name}`),
  );
  expect([...drawn].sort()).toEqual([...known].sort());
});

test('the table of states has one row a state', () => {
  expect(codeColumn(section(page, '## States'))).toEqual(states);
});

test('the table of moves has one row a move', () => {
  expect(codeColumn(section(page, '## Moves'))).toEqual(Object.keys(moves));
});

test('the table of steps has one row a function', () => {
  expect([...codeColumn(section(page, '## The steps'))].sort()).toEqual([...functionNames].sort());
});

test('the pauses are those of lib/model/timing.ts', () => {
  const rows = tableRows(section(page, '## When a bot is checked again'));
  const listed = rows.map(([name = '', seconds]) => [name.replaceAll('`', ''), Number(seconds)]);
  expect(Object.fromEntries(listed)).toEqual(timing);
});
