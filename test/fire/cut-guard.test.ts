/** Guards are cut out of small samples, node by node. */
import { expect, test } from 'vitest';
import { cutGuard, findMarkers, findSyntaxErrors } from './cut-guard.ts';

/** The code without comments and with single spaces. */
const squeeze = (source: string) =>
  source
    .replace(/\/\/.*$/gm, '')
    .replace(/\s+/g, ' ')
    .trim();

const marker = '// guard: it\n';

test.each([
  ['a statement', `f();\n${marker}if (a) throw b;\ng();`, 'f(); g();'],
  ['a statement of a block', `if (a) {\n${marker}f();\n g(); }`, 'if (a) { g(); }'],
  [
    'a statement of a case',
    `switch (a) { case 1:\n${marker}f();\n break; }`,
    'switch (a) { case 1: break; }',
  ],
  ['a statement with a comment between', `${marker}// Why.\nf();\ng();`, 'g();'],
  ['a property', `f({\n${marker}a: 1,\nb });`, 'f({ b });'],
  ['the last property', `f({ b,\n${marker}a: 1 });`, 'f({ b, });'],
  ['a spread property', `f({\n${marker}...(a && { a }),\nb });`, 'f({ b });'],
  ['an element of an array', `f([\n${marker}'a',\n'b']);`, "f([ 'b']);"],
  ['a spread element of an array', `f(['b',\n${marker}...more]);`, "f(['b', ]);"],
  ['an argument', `f(a,\n${marker}b && c,\nd);`, 'f(a, d);'],
  ['a member of a class', `class A {\n${marker}a() { f(); }\nb = 1; }`, 'class A { b = 1; }'],
  ['the first operand', `return (\n${marker}a && b && c);`, 'return ( b && c);'],
  ['an operand between two others', `return a &&\n${marker}b && c;`, 'return a && c;'],
  ['the last operand', `return a ||\n${marker}(b && c);`, 'return a;'],
  ['an operand that is a comparison', `if (a ||\n${marker}b !== c) f();`, 'if (a) f();'],
  ['an operand of another operator', `return a ||\n${marker}b && c;`, 'return a;'],
])('cutGuard removes %s', (_what, source, expected) => {
  expect(squeeze(cutGuard(source, 'it'))).toBe(expected);
});

test('cutGuard with a replacement replaces a node, and its comma stays', () => {
  const source = `f({\n${marker}a: 1,\nb });`;
  expect(squeeze(cutGuard(source, 'it', (code) => `${code}0`))).toBe('f({ a: 10, b });');
});

test('two markers above one node name the same node', () => {
  const source = `${marker}// guard: too\nf();\ng();`;
  for (const name of ['it', 'too']) expect(squeeze(cutGuard(source, name))).toBe('g();');
});

test.each([
  ['no marker has the name', `// guard: it-too\nf();`, 'no marker'],
  ['the marker is behind code', `f(); // guard: it`, 'no marker'],
  ['two markers have the name', `${marker}f();\n${marker}g();`, 'more than once'],
  ['the marker is above code that cannot be removed', `const a =\n${marker}b;`, 'can be taken out'],
  ['the marker is the last line', `f();\n${marker}`, 'can be taken out'],
])('nothing is cut when %s', (_what, source, message) => {
  expect(() => cutGuard(source, 'it')).toThrow(message);
});

test('markers are found in the order of the source', () => {
  const names = findMarkers(`  // guard: one\nf();\n// guard: two\n`).map(({ name }) => name);
  expect(names).toEqual(['one', 'two']);
});

test('a source that cannot be parsed has syntax errors, and another has none', () => {
  expect(findSyntaxErrors('f(')).not.toEqual([]);
  expect(findSyntaxErrors('f();')).toEqual([]);
});
