/** The source files that markers of guards stand in. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findMarkers } from './cut-guard.ts';

/** Where guards may stand. */
const FOLDERS = ['lib', 'cli'];

/** @param file from the root of the repository */
export const pathOf = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));
export const readSource = (file: string): string => readFileSync(pathOf(file), 'utf8');

export interface MarkedFile {
  /** From the root of the repository. */
  readonly file: string;
  readonly source: string;
  /** Of the guards that are marked in it. */
  readonly names: readonly string[];
}

export const readMarkedFiles = (): readonly MarkedFile[] =>
  FOLDERS.flatMap((folder) =>
    readdirSync(pathOf(folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`),
  ).flatMap((file) => {
    const source = readSource(file);
    const names = findMarkers(source).map(({ name }) => name);
    return names.length > 0 ? [{ file, source, names }] : [];
  });
