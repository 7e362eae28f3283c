import { CsvError, parse } from 'csv-parse/sync';
import type { Readable } from 'node:stream';

/** Lines that are read at once; a whole block is parsed in one go where nothing in it is odd. */
const BLOCK = 500;
/** A record longer than this, in signs or lines, is a quote that somebody forgot. */
const LONGEST = 100_000;
const MOST_LINES = 50;

/** What a record is worth: a row, or why it is none. */
export type Judged<T> = { row: T } | { reason: string };
type Judge<T> = (record: Record<string, string>) => Judged<T>;

/** A line of the file by its number, the first is 1. */
interface Line {
  no: number;
  text: string;
}

/** The lines of a stream, without their ends. One that never ends is cut. */
async function* linesOf(source: Readable): AsyncGenerator<Line> {
  let rest = '';
  let no = 0;
  let cut = false;
  source.setEncoding('utf8');
  for await (const part of source as AsyncIterable<string>) {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) {
      no += 1;
      yield { no, text: cut ? '' : text.replace(/\r$/, '') };
      cut = false;
    }
    if (rest.length > LONGEST) {
      if (!cut) yield { no: no + 1, text: rest };
      cut = true;
      rest = '';
    }
  }
  if (rest !== '' && !cut) yield { no: no + 1, text: rest.replace(/\r$/, '') };
}

/**
 * The records of a text, or what is wrong with it. `relaxed` bears quotes inside a field (`Bo "The
 * Rocket" Li`).
 */
function records(text: string, relaxed = false): string[][] | CsvError {
  try {
    return parse(text, { relax_column_count: true, relax_quotes: relaxed, skip_empty_lines: true });
  } catch (error) {
    if (error instanceof CsvError) return error;
    throw error;
  }
}

/**
 * Reads rows under a header line as they stream in. A record that is no row is told to `bad` with
 * its line and why, and stops nothing: whatever it is, a quote that nobody closed included, the
 * next line that is a row by itself is one. Quoted line breaks inside a row are part of it.
 */
export async function* readRows<T>(
  source: Readable,
  judge: Judge<T>,
  bad: (row: { line: number; reason: string }) => void,
): AsyncGenerator<T> {
  let names: string[] | null = null;
  /** Up to this line all is told already as part of a record that is no row. */
  let told = 0;
  const judged = (record: string[]): Judged<T> =>
    judge(
      Object.fromEntries(
        (names ?? []).slice(0, record.length).map((name, at) => [name, record[at] ?? '']),
      ),
    );
  const alone = (line: Line): Judged<T> | null => {
    if (line.text.length > LONGEST) return { reason: `a line of more than ${LONGEST} signs` };
    for (const relaxed of [false, true]) {
      const found = records(line.text, relaxed);
      if (!(found instanceof CsvError)) return found[0] ? judged(found[0]) : { reason: 'nothing' };
    }
    return null;
  };

  /**
   * Reads the first record of these lines, of which there are always enough; answers how many it
   * took.
   */
  function* take(lines: Line[]): Generator<T, number> {
    const [first] = lines as [Line];
    if (first.text.trim() === '') return 1;
    const one = alone(first);
    if (one && 'row' in one) {
      yield one.row;
      return 1;
    }
    let reason = one?.reason ?? 'a quote that is never closed, or stands in the middle of a field';
    let text = first.text;
    for (
      let at = 1;
      one === null && at < lines.length && at < MOST_LINES && text.length < LONGEST;
      at += 1
    ) {
      const next = lines[at] as Line;
      const itself = alone(next);
      // A whole row by itself is no continuation of one before.
      if (itself && 'row' in itself) break;
      text += `\n${next.text}`;
      const found = records(text);
      if (found instanceof CsvError || found.length !== 1) continue;
      const whole = judged(found[0] as string[]);
      if ('row' in whole) {
        yield whole.row;
        return at + 1;
      }
      // As many fields as it should have: one bad row of several lines, which are told once and
      // tried all the same.
      if (found[0]?.length === names?.length) {
        reason = whole.reason;
        if (first.no > told) bad({ line: first.no, reason });
        told = Math.max(told, next.no);
      }
      break;
    }
    if (first.no > told) bad({ line: first.no, reason });
    return 1;
  }

  let waiting: Line[] = [];
  const drain = function* (most: number): Generator<T> {
    // A block without anything odd has as many rows as lines.
    if (waiting.length > MOST_LINES) {
      const full = waiting.filter((line) => line.text.trim() !== '');
      const found = records(full.map((line) => line.text).join('\n'));
      if (
        !(found instanceof CsvError) &&
        found.length === full.length &&
        full.every((line) => line.text.length <= LONGEST)
      ) {
        const all = found.map(judged);
        if (all.every((one) => 'row' in one)) {
          for (const one of all) yield one.row;
          waiting = [];
          return;
        }
      }
    }
    let from = 0;
    while (waiting.length - from > most)
      from += yield* take(waiting.slice(from, from + MOST_LINES));
    waiting = waiting.slice(from);
  };
  for await (const line of linesOf(source)) {
    if (names === null) {
      const text = line.text.replace(/^\ufeff/, '');
      if (text.trim() === '') continue;
      const head = records(text);
      names = head instanceof CsvError ? text.split(',') : (head[0] ?? []);
      continue;
    }
    waiting.push(line);
    // What may still go on in the next block stays.
    if (waiting.length >= BLOCK) yield* drain(MOST_LINES);
  }
  yield* drain(0);
}
