import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readPage, section, tableRows } from './page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((page) => page !== '' && existsSync(`${root}/${page}`));

/** The anchor of a heading, as GitHub makes it. */
const toAnchor = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const readAnchors = (page: string): readonly string[] =>
  [...readPage(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => toAnchor(heading));

/** The relative links of a page without a target. */
const findDeadLinks = (page: string): readonly string[] =>
  [...readPage(page).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : posix.join(posix.dirname(page), path);
    if (!existsSync(`${root}/${target}`)) return [link];
    const isKnown = anchor === undefined || readAnchors(target).includes(anchor);
    return isKnown ? [] : [link];
  });

test.each(pages)('every link of %s leads to a file and a heading', (page) => {
  expect(findDeadLinks(page)).toEqual([]);
});

test('each file of the table "Where a new line belongs" exists', () => {
  const answers = tableRows(section(readPage('docs/glossary.md'), '## Where a new line belongs'));
  const missing = answers.filter(([, file = '']) => !existsSync(`${root}/${file.replaceAll('`', '')}`));
  expect(answers.length).toBeGreaterThanOrEqual(12);
  expect(missing).toEqual([]);
});
