import type { Request, Response } from 'express';
import type { z } from 'zod';
import { InputError, VillageError, type FieldIssue } from '../errors.js';
import type { ByteRange } from './files.js';
import { isLanguage, type Language } from './i18n.js';

/** Whoever sends a request: a signed-in fan, known by cookie or token. */
export interface Reader {
  id: string;
  name: string;
  roles: string[];
  country: string;
  /** Null for a session, which may do everything its fan may; else the scopes of the token. */
  scopes: string[] | null;
}

/** What a page tells the frame around it. */
export interface PageFacts {
  title: string;
  section?: string;
  script?: string;
  status?: number;
  robots?: boolean;
  wide?: boolean;
  /** The reader's points and medals where the page has read them anyway; else the frame does. */
  standing?: { points: number; medals: Record<string, readonly [string, number]> };
}

declare module 'express-serve-static-core' {
  interface Request {
    lang: Language;
    reader: Reader | null;
    requestId: string;
    /** Answers with a page inside its frame; set by the wiring. */
    page(template: string, facts: PageFacts, model: object): Promise<void>;
  }
}

/**
 * The signed-in fan. Throws `not_signed_in`; whether they may be here the door has already decided
 * (see `doors.ts`).
 */
export function requireReader(req: Request): Reader {
  if (!req.reader) throw new VillageError('not_signed_in');
  return req.reader;
}

/**
 * Turns zod's issues into ours: which field, and what kind of fault. Texts are chosen by kind in
 * the reader's language, never by zod's English.
 */
export function fieldIssues(error: z.ZodError): FieldIssue[] {
  return error.issues.map((issue) => {
    const path =
      issue.path.join('.') || (issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : 'body');
    const params: Record<string, string | number> = {};
    if ('minimum' in issue) params['min'] = Number(issue.minimum);
    if ('maximum' in issue) params['max'] = Number(issue.maximum);
    const missing = issue.code === 'invalid_type' && issue.input === undefined;
    return {
      path,
      issue: issue.code === 'custom' ? issue.message : missing ? 'missing' : issue.code,
      params,
    };
  });
}

/** The input as the schema reads it. Throws an InputError that names every fault. */
export function parse<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const parsed = schema.safeParse(input ?? {}, { reportInput: true });
  if (!parsed.success) throw new InputError(fieldIssues(parsed.error));
  return parsed.data;
}

/** The language that a path begins with, or null. */
export const languageOf = (path: string): Language | null => {
  const first = path.split('/')[1];
  return isLanguage(first) ? first : null;
};

/**
 * A parameter of the path. Throws `not_found` when it is absent or repeated, which express's types
 * allow for.
 */
export function param(req: Request, name: string): string {
  const value = req.params[name];
  if (typeof value !== 'string') throw new VillageError('not_found');
  return value;
}

/** Answers a form that was accepted: 303, and where to read on (RFC 9110, 15.4.4). */
export const seeOther = (res: Response, path: string): void => {
  res.redirect(303, path);
};

/**
 * The one range of bytes that a request asks for (RFC 9110, 14.2), or null when it asks for none or
 * for several, to which the whole file is a right answer. Throws `bad_range` for a header that is
 * malformed or lies outside the file.
 */
export function byteRange(req: Request, length: number): ByteRange | null {
  const ranges = req.range(length);
  if (ranges === undefined) return null;
  if (Array.isArray(ranges) && ranges.type === 'bytes')
    return ranges.length === 1 ? (ranges[0] ?? null) : null;
  // The last 500 bytes of 100 are all of them (RFC 9110, 14.1.2); range-parser says unsatisfiable.
  const suffix = /^bytes=-(\d+)$/.exec(req.get('range')?.trim() ?? '')?.[1];
  if (length > 0 && Number(suffix) > length) return { start: 0, end: length - 1 };
  throw new VillageError('bad_range', { length });
}
