import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SearchIndex } from './search-index.js';

const NAME = /^search-(\d+)\.json$/;
const revisionOf = (name: string): number => Number(NAME.exec(name)?.[1] ?? 0);

/** Reads the newest index kept in a folder; an empty one when there is none that can be read. */
export function loadIndex(folder: string): { index: SearchIndex; revision: number } {
  try {
    const [newest] = readdirSync(folder)
      .filter((name) => NAME.test(name))
      .sort((a, b) => revisionOf(b) - revisionOf(a));
    if (newest) return SearchIndex.load(readFileSync(join(folder, newest), 'utf8'));
  } catch {
    // No folder, a file of another version, or half a file: the index is built from the store.
  }
  return { index: new SearchIndex(), revision: 0 };
}

/** Keeps an index in a folder, and removes the older ones. */
export function saveIndex(folder: string, index: SearchIndex, revision: number): void {
  mkdirSync(folder, { recursive: true });
  const name = `search-${revision}.json`;
  writeFileSync(join(folder, `${name}.new`), index.save(revision));
  renameSync(join(folder, `${name}.new`), join(folder, name));
  for (const other of readdirSync(folder))
    if (NAME.test(other) && other !== name) rmSync(join(folder, other), { force: true });
}
