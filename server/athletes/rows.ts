import { CsvError, parse } from 'csv-parse/sync';
import type { Readable } from 'node:stream';

/** Lines that are read at once; a whole block is parsed in one go where nothing in it is odd. */
const BLOCK = 500;
/** A record longer than this, in signs or lines, is a quote that somebody forgot to close. */
const LONGEST = 100_000;
const MOST_LINES = 50;
const UNCLOSED = 'a quote that is never closed, or stands in the middle of a field';

/** What a record is worth: a row, or the reason why it is none. */
export type Judged<T> = { row: T } | { reason: string };
/** Judges a record, by the names of its columns. */
export type Judge<T> = (record: Record<string, string>) => Judged<T>;
/** A record that is no row: the line of the file that it begins on (the first is 1), and why. */
export interface BadRow {
  line: number;
  reason: string;
}

/** A line of the file by its number; the first is 1. */
interface Line {
  number: number;
  text: string;
}

const isRow = <T>(judged: Judged<T> | null): judged is { row: T } =>
  judged !== null && 'row' in judged;
const isBlank = (line: Line): boolean => line.text.trim() === '';

/** The lines of a stream, without their ends. One that never ends is cut. */
async function* linesOf(source: Readable): AsyncGenerator<Line> {
  let rest = '';
  let number = 0;
  let isCut = false;
  source.setEncoding('utf8');
  for await (const part of source as AsyncIterable<string>) {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) {
      number += 1;
      yield { number, text: isCut ? '' : text.replace(/\r$/, '') };
      isCut = false;
    }
    if (rest.length > LONGEST) {
      if (!isCut) yield { number: number + 1, text: rest };
      isCut = true;
      rest = '';
    }
  }
  if (rest !== '' && !isCut) yield { number: number + 1, text: rest.replace(/\r$/, '') };
}

/**
 * The records of a text, or what is wrong with it. `relaxed` bears quotes inside a field (`Bo "The
 * Rocket" Li`).
 */
function recordsOf(text: string, relaxed = false): string[][] | CsvError {
  try {
    return parse(text, { relax_column_count: true, relax_quotes: relaxed, skip_empty_lines: true });
  } catch (error) {
    if (error instanceof CsvError) return error;
    throw error;
  }
}

/** The names of the columns, or null for a blank line. */
function columnsOf(line: Line): string[] | null {
  const text = line.text.replace(/^\ufeff/, '');
  if (text.trim() === '') return null;
  const head = recordsOf(text);
  return head instanceof CsvError ? text.split(',') : (head[0] ?? []);
}

/** Turns the lines below a header into rows, a block at a time. */
class BlockReader<T> {
  private waiting: Line[] = [];
  /** Up to this line everything was told already, as part of a record that is no row. */
  private toldUpTo = 0;

  constructor(
    private readonly columns: string[],
    private readonly judge: Judge<T>,
    private readonly onBad: (row: BadRow) => void,
  ) {}

  /** Takes a line, and gives the rows of a block when one is full. */
  *add(line: Line): Generator<T> {
    this.waiting.push(line);
    // What may still go on in the next block stays.
    if (this.waiting.length >= BLOCK) yield* this.drain(MOST_LINES);
  }

  /** Gives the rows of all lines that are left. */
  *end(): Generator<T> {
    yield* this.drain(0);
  }

  private *drain(keep: number): Generator<T> {
    const block = this.plainBlock();
    if (block) {
      yield* block;
      this.waiting = [];
      return;
    }
    let from = 0;
    while (this.waiting.length - from > keep)
      from += yield* this.take(this.waiting.slice(from, from + MOST_LINES));
    this.waiting = this.waiting.slice(from);
  }

  /** The rows of a long block in which every line is a row; null where anything is odd. */
  private plainBlock(): T[] | null {
    if (this.waiting.length <= MOST_LINES) return null;
    const lines = this.waiting.filter((line) => !isBlank(line));
    const found = recordsOf(lines.map((line) => line.text).join('\n'));
    const isPlain =
      !(found instanceof CsvError) &&
      found.length === lines.length &&
      lines.every((line) => line.text.length <= LONGEST);
    if (!isPlain) return null;
    const judged = found.map((fields) => this.judgeFields(fields));
    return judged.every(isRow) ? judged.map(({ row }) => row) : null;
  }

  /**
   * Takes the first record of these lines, of which there are always enough. Answers how many lines
   * it took: a record that is no row takes its first line only, so that a row behind a quote that
   * nobody closed is found.
   */
  private *take(lines: Line[]): Generator<T, number> {
    const [first] = lines as [Line];
    if (isBlank(first)) return 1;
    const alone = this.judgeLine(first);
    if (isRow(alone)) {
      yield alone.row;
      return 1;
    }
    const joined = alone === null ? this.join(lines) : null;
    if (joined && 'row' in joined) {
      yield joined.row;
      return joined.lines;
    }
    const reason = alone?.reason ?? joined?.reason ?? UNCLOSED;
    if (first.number > this.toldUpTo) this.onBad({ line: first.number, reason });
    if (joined) this.toldUpTo = Math.max(this.toldUpTo, joined.lastLine);
    return 1;
  }

  /**
   * Joins the first line to those below it until they are one record. Answers the row, and of how
   * many lines; or why a record with the right number of fields is no row, and its last line; or
   * null when nothing came of it.
   */
  private join(
    lines: Line[],
  ): { row: T; lines: number } | { reason: string; lastLine: number } | null {
    let text = lines[0]?.text ?? '';
    for (const [index, line] of lines.slice(1, MOST_LINES).entries()) {
      // A whole row by itself is no continuation of one before.
      if (text.length >= LONGEST || isRow(this.judgeLine(line))) return null;
      text += `\n${line.text}`;
      const found = recordsOf(text);
      if (found instanceof CsvError || found.length !== 1) continue;
      const fields = found[0] as string[];
      const judged = this.judgeFields(fields);
      if (isRow(judged)) return { row: judged.row, lines: index + 2 };
      return fields.length === this.columns.length
        ? { reason: judged.reason, lastLine: line.number }
        : null;
    }
    return null;
  }

  private judgeFields(fields: string[]): Judged<T> {
    return this.judge(
      Object.fromEntries(
        this.columns.slice(0, fields.length).map((name, index) => [name, fields[index] ?? '']),
      ),
    );
  }

  /** Judges a line by itself; null when it is no whole record. */
  private judgeLine(line: Line): Judged<T> | null {
    if (line.text.length > LONGEST) return { reason: `a line of more than ${LONGEST} signs` };
    for (const relaxed of [false, true]) {
      const found = recordsOf(line.text, relaxed);
      if (found instanceof CsvError) continue;
      return found[0] ? this.judgeFields(found[0]) : { reason: 'nothing' };
    }
    return null;
  }
}

/**
 * Reads the rows below a header line as they stream in. `onBad` hears of each record that is no
 * row, which stops nothing: whatever it is, a quote that nobody closed included, the next line that
 * is a row by itself is read as one. Quoted line breaks inside a row are part of it.
 */
export async function* readRows<T>(
  source: Readable,
  judge: Judge<T>,
  onBad: (row: BadRow) => void,
): AsyncGenerator<T> {
  let block: BlockReader<T> | null = null;
  for await (const line of linesOf(source)) {
    if (block) {
      yield* block.add(line);
      continue;
    }
    const columns = columnsOf(line);
    if (columns) block = new BlockReader(columns, judge, onBad);
  }
  if (block) yield* block.end();
}
