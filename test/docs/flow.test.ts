import { expect, test } from 'vitest';
import { functionNames } from '../../lib/model/deployment.ts';
import { type Move, moves, states } from '../../lib/model/states.ts';
import { timing } from '../../lib/model/timing.ts';
import { codeColumn, readPage, section, tableRows } from './page.ts';

const page = readPage('docs/flow.md');

const diagram = (): readonly string[] => {
  const arrows = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(page)?.[1];
  return (arrows ?? '').split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
};

test('the diagram of docs/flow.md shows every move from every state that it may start from, and no other', () => {
  const [start, ...arrows] = diagram();
  expect(start).toBe('[*] --> queued');
  const expected = (Object.entries(moves) as [string, Move][]).flatMap(([name, { from, to }]) =>
    from.map((state) => `${state} --> ${to}: ${name}`),
  );
  expect([...arrows].sort()).toEqual([...expected].sort());
});

test('docs/flow.md has one row for each state', () => {
  expect(codeColumn(section(page, '## States'))).toEqual(states);
});

test('docs/flow.md has one row for each move', () => {
  expect(codeColumn(section(page, '## Moves'))).toEqual(Object.keys(moves));
});

test('docs/flow.md has one row for each function', () => {
  expect([...codeColumn(section(page, '## The steps'))].sort()).toEqual([...functionNames].sort());
});

test('the pauses of docs/flow.md are those of lib/model/timing.ts', () => {
  const rows = tableRows(section(page, '## When a bot is checked again'));
  const pauses = rows.map(([name = '', seconds]) => [name.replaceAll('`', ''), Number(seconds)]);
  expect(Object.fromEntries(pauses)).toEqual(timing);
});
