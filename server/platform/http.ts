import type { Request, Response } from 'express';
import type { z } from 'zod';
import { InputError, VillageError, type FieldIssue } from '../errors.js';
import { isLanguage, type Language } from './i18n.js';

/** Who sends this request: a signed-in fan, by cookie or token. */
export interface Reader {
  id: string;
  name: string;
  roles: string[];
  country: string;
  /** Null for a session, which may do everything its fan may; else the scopes of the token. */
  scopes: string[] | null;
}

/** What a page says about itself. */
export interface PageFacts {
  title: string;
  section?: string;
  script?: string;
  status?: number;
  robots?: boolean;
  wide?: boolean;
  /** The reader's own standing, where the page has read it anyway; else the frame reads it. */
  standing?: { points: number; medals: Record<string, readonly [string, number]> };
}

declare module 'express-serve-static-core' {
  interface Request {
    lang: Language;
    reader: Reader | null;
    requestId: string;
    /** Answers with a page; set by the wiring. */
    page(template: string, facts: PageFacts, model: object): Promise<void>;
  }
}

/**
 * The signed-in fan, or `not_signed_in`. Whether they may be here the door has decided already (see
 * `doors.ts`).
 */
export function requireReader(req: Request): Reader {
  if (!req.reader) throw new VillageError('not_signed_in');
  return req.reader;
}

/**
 * zod's issues as ours: where, and which kind. Texts are chosen by kind in the reader's language,
 * never by zod's English.
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

/** Input that fits the schema, or an InputError. */
export function parse<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const parsed = schema.safeParse(input ?? {}, { reportInput: true });
  if (!parsed.success) throw new InputError(fieldIssues(parsed.error));
  return parsed.data;
}

/** The language of the path, if it has one. */
export const languageOf = (path: string): Language | null => {
  const first = path.split('/')[1];
  return isLanguage(first) ? first : null;
};

/** One text of a path parameter; Express types it as possibly absent or repeated. */
export function param(req: Request, name: string): string {
  const value = req.params[name];
  if (typeof value !== 'string') throw new VillageError('not_found');
  return value;
}

/** 303, the answer to every form that was taken (RFC 9110, 15.4.4). */
export const seeOther = (res: Response, path: string): void => {
  res.redirect(303, path);
};
