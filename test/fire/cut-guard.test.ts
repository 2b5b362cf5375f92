/** Guards are cut out of small samples, node by node. */
import { expect, test } from 'vitest';
import { cutGuard, findMarkers, findSyntaxErrors } from './cut-guard.ts';

/** The code without comments and with single spaces. */
const squeeze = (source: string) =>
  source
    .replace(/\/\/.*$/gm, '')
    .replace(/\s+/g, ' ')
    .trim();

const marked = '// guard: it\n';

test.each([
  ['a statement', `f();\n${marked}if (a) throw b;\ng();`, 'f(); g();'],
  ['a statement of a block', `if (a) {\n${marked}f();\n g(); }`, 'if (a) { g(); }'],
  [
    'a statement of a case',
    `switch (a) { case 1:\n${marked}f();\n break; }`,
    'switch (a) { case 1: break; }',
  ],
  ['a statement with a comment between', `${marked}// Why.\nf();\ng();`, 'g();'],
  ['a property', `f({\n${marked}a: 1,\nb });`, 'f({ b });'],
  ['the last property', `f({ b,\n${marked}a: 1 });`, 'f({ b, });'],
  ['a spread property', `f({\n${marked}...(a && { a }),\nb });`, 'f({ b });'],
  ['an element of an array', `f([\n${marked}'a',\n'b']);`, "f([ 'b']);"],
  ['a spread element of an array', `f(['b',\n${marked}...more]);`, "f(['b', ]);"],
  ['an argument', `f(a,\n${marked}b && c,\nd);`, 'f(a, d);'],
  ['a member of a class', `class A {\n${marked}a() { f(); }\nb = 1; }`, 'class A { b = 1; }'],
  ['the first operand', `return (\n${marked}a && b && c);`, 'return ( b && c);'],
  ['an operand between two others', `return a &&\n${marked}b && c;`, 'return a && c;'],
  ['the last operand', `return a ||\n${marked}(b && c);`, 'return a;'],
  ['an operand that is a comparison', `if (a ||\n${marked}b !== c) f();`, 'if (a) f();'],
  ['an operand of another operator', `return a ||\n${marked}b && c;`, 'return a;'],
])('%s is cut out whole', (_what, source, expected) => {
  expect(squeeze(cutGuard(source, 'it'))).toBe(expected);
});

test('a guard with a replacement is replaced, and its comma stays', () => {
  const source = `f({\n${marked}a: 1,\nb });`;
  expect(squeeze(cutGuard(source, 'it', (code) => `${code}0`))).toBe('f({ a: 10, b });');
});

test('two markers above one node name the same node', () => {
  const source = `${marked}// guard: too\nf();\ng();`;
  for (const name of ['it', 'too']) expect(squeeze(cutGuard(source, name))).toBe('g();');
});

test.each([
  ['no marker has the name', `// guard: it-too\nf();`, 'no marker'],
  ['the marker stands behind code', `f(); // guard: it`, 'no marker'],
  ['two markers have the name', `${marked}f();\n${marked}g();`, 'more than once'],
  ['the marker is above what cannot be missing', `const a =\n${marked}b;`, 'can be taken out'],
  ['the marker is the last line', `f();\n${marked}`, 'can be taken out'],
])('nothing is cut where %s', (_what, source, message) => {
  expect(() => cutGuard(source, 'it')).toThrow(message);
});

test('markers are found in their order', () => {
  const names = findMarkers(`  // guard: one\nf();\n// guard: two\n`).map(({ name }) => name);
  expect(names).toEqual(['one', 'two']);
});

test('a source that cannot be parsed has syntax errors, and another has none', () => {
  expect(findSyntaxErrors('f(')).not.toEqual([]);
  expect(findSyntaxErrors('f();')).toEqual([]);
});
