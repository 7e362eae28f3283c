import cliProgress from 'cli-progress';
import { createReadStream, existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { pause } from '../services/process.js';
import { note, print } from './output.js';
import type { Work } from './work.js';

/** The rows of the directory that comes with the hub. */
const OLYMPIANS = 157_375;
/**
 * How often, and how long in ms, an import that was started by `npm start` waits for the lease of
 * one that was killed.
 */
const TRIES = 20;
const WAIT_MS = 5000;

function sourceOf(file: string): Readable {
  const raw = createReadStream(file);
  const source = file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  raw.on('error', (error) => source.destroy(error));
  return source;
}

/** Shows the rows that are done, on a terminal only; without a known total there is no bar. */
function progressBar(total: number): cliProgress.SingleBar {
  return new cliProgress.SingleBar({
    format: `${total > 0 ? '[{bar}] ' : ''}{value} rows, {rate} a second`,
    barCompleteChar: '#',
    barIncompleteChar: '.',
    barsize: 30,
    fps: 2,
    hideCursor: true,
    stream: process.stderr,
    noTTYOutput: false,
  });
}

/**
 * Imports a directory file. `npm start` sets VILLAGE_IMPORT_MARK to the digest of the file, which
 * is kept when the import is complete.
 */
export const importAthletes =
  (file: string): Work =>
  async ({ athletes, settings }) => {
    if (!existsSync(file)) {
      note(`There is no file ${file}.`);
      return 1;
    }
    const mark = process.env['VILLAGE_IMPORT_MARK'];
    const total = file.endsWith('olympians.csv.gz') ? OLYMPIANS : 0;
    let begun = Date.now();
    const seconds = (): number => Math.max(0.001, (Date.now() - begun) / 1000);
    const run = async (): ReturnType<typeof athletes.importFile> => {
      begun = Date.now();
      const bar = progressBar(total);
      bar.start(total, 0, { rate: 0 });
      try {
        return await athletes.importFile(sourceOf(file), total, ({ rows }) => {
          bar.update(rows, { rate: Math.round(rows / seconds()) });
        });
      } finally {
        bar.stop();
      }
    };
    let result = await run();
    for (let tries = 0; !result && mark && tries < TRIES; tries += 1) {
      await pause(WAIT_MS);
      result = await run();
    }
    if (!result) {
      note('Another import runs. Wait for it, then try again.');
      return 1;
    }
    for (const { line, reason } of result.bad) note(`line ${line}: ${reason}`);
    const { rows, added, changed, same, badCount } = result;
    const took = seconds();
    print(
      `${rows} rows in ${took.toFixed(1)} s (${Math.round(rows / took)} a second): ` +
        `${added} added, ${changed} changed, ${same} the same, ${badCount} bad.`,
    );
    if (mark) await settings.set('athletes.file', mark);
    return 0;
  };
