import express, { type Request, type RequestHandler, type Router } from 'express';
import { VillageError } from '../errors.js';
import { SAFE, type FormTokens } from './guard.js';
import { addressKey, type LimitName, type Limits } from './limits.js';
import type { Scope } from './rights.js';

/** What every door must say of itself where it is made. */
interface Rule {
  /** Whom it lets in: anyone, signed-in fans, or fans who have at least one of these roles. */
  who: 'anyone' | 'fan' | readonly string[];
  /** The limit that every use counts against, before anything is read or written. */
  limit?: LimitName;
  /** Limits count by fan, and by address for visitors; with `address` they count all by address. */
  by?: 'address';
  /**
   * No cache may keep its answers, not even those to visitors. Answers to fans are never kept (ASVS
   * 14.3.2).
   */
  personal?: true;
  /** Whoever lacks the role is answered as if there were nothing here. */
  hidden?: true;
}
/** The rule of a door for programs and for the hub's own scripts, who have a token or a session. */
export interface ApiRule extends Rule {
  /**
   * What a token must allow (at least one of these); `none` where the answer is the same for all.
   * Any other token is refused, or treated as no token where anyone may come in.
   */
  scope: 'none' | Scope | readonly Scope[];
}
/** The rule of a page or a form, whose readers have a session. */
export interface PageRule extends Rule {
  /** `false` for a form that changes nothing but the look of the browser that sends it. */
  formToken?: false;
}

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** A door as it was made: where it is, and its rule. */
export type Door = { method: Method; path: string } & (
  { kind: 'api'; rule: ApiRule } | { kind: 'page'; rule: PageRule }
);

const made = new WeakMap<RequestHandler, Door>();
/** The door that a handler guards, or null for a handler that guards none. */
export const doorOf = (handler: RequestHandler): Door | null => made.get(handler) ?? null;

/** The scopes of which a token must have at least one; none where any token will do. */
export const scopesOf = ({ scope }: ApiRule): readonly Scope[] =>
  scope === 'none' ? [] : typeof scope === 'string' ? [scope] : scope;

/**
 * Refuses those who may not come in. Throws `not_signed_in`, `missing_scope`, `not_allowed` (or
 * `not_found` where the door is hidden).
 */
function admit(req: Request, { who, hidden }: Rule, scopes: readonly Scope[]): void {
  const { reader } = req;
  const lacksScope =
    reader?.scopes && scopes.length > 0 && !scopes.some((scope) => reader.scopes?.includes(scope));
  if (who === 'anyone') {
    if (lacksScope) req.reader = null;
    return;
  }
  if (!reader) throw new VillageError('not_signed_in');
  if (lacksScope) throw new VillageError('missing_scope', { scope: scopes.join(', ') });
  if (who !== 'fan' && !who.some((role) => reader.roles.includes(role)))
    throw new VillageError(hidden ? 'not_found' : 'not_allowed');
}

/**
 * Makes sure that there is a body: an empty one if the request has none. Throws `unsupported_media`
 * for one that no parser took.
 */
function ensureBody(req: Request): void {
  if (req.body !== undefined) return;
  if (
    req.headers['transfer-encoding'] !== undefined ||
    Number(req.headers['content-length'] ?? 0) > 0
  )
    throw new VillageError('unsupported_media');
  req.body = {};
}

/** What is wrong with the rule of a door, or null. */
function flawOf(kind: Door['kind'], rule: unknown): string | null {
  if (typeof rule !== 'object' || rule === null || !('who' in rule)) return 'it has no rule';
  const { who, scope, limit, by, formToken } = rule as Partial<ApiRule & PageRule>;
  if (who !== 'anyone' && who !== 'fan' && !(Array.isArray(who) && who.length > 0))
    return 'its rule lets nobody in';
  if (kind === 'api' && (scope === undefined || scope.length === 0))
    return 'its rule names no scope';
  if (kind === 'api' && formToken !== undefined) return 'only a page does without a form token';
  if (kind === 'page' && scope !== undefined) return 'pages know no tokens, and so no scopes';
  if (by !== undefined && limit === undefined) return 'it counts by address, but against no limit';
  return null;
}

/** What doors of both kinds need. */
export interface DoorParts {
  limits: Limits;
  forms: FormTokens;
}

/**
 * A router whose every route has a rule: `doors.post('/x', { who: 'fan', … }, handler)`. The rule
 * is enforced here, in one place for all, before the handler runs: who may come in, with which
 * scope and form token, within which limit, and that no cache keeps what is personal. A door
 * without a rule throws where it is made, which is when the hub starts.
 */
abstract class Doors<R extends ApiRule | PageRule> {
  /**
   * @param base the path at which the router is mounted @param router a router to add the doors to,
   * where a few doors are not worth one of their own
   */
  constructor(
    readonly base: string,
    private readonly parts: DoorParts,
    readonly router: Router = express.Router({ caseSensitive: true }),
  ) {}

  protected abstract describe(method: Method, path: string, rule: R): Door;
  /** Whether an unsafe request to this door must prove that a form of ours sent it. */
  protected abstract needsFormToken(req: Request, rule: R): boolean;

  /** Makes a door for GET. */
  get(path: string, rule: R, ...handlers: RequestHandler[]): void {
    this.open('get', path, rule, handlers);
  }
  /** Makes a door for POST. */
  post(path: string, rule: R, ...handlers: RequestHandler[]): void {
    this.open('post', path, rule, handlers);
  }
  /** Makes a door for PUT. */
  put(path: string, rule: R, ...handlers: RequestHandler[]): void {
    this.open('put', path, rule, handlers);
  }
  /** Makes a door for PATCH. */
  patch(path: string, rule: R, ...handlers: RequestHandler[]): void {
    this.open('patch', path, rule, handlers);
  }
  /** Makes a door for DELETE. */
  delete(path: string, rule: R, ...handlers: RequestHandler[]): void {
    this.open('delete', path, rule, handlers);
  }

  private open(method: Method, path: string, rule: R, handlers: RequestHandler[]): void {
    const door = this.describe(method, `${this.base}${path}`, rule);
    const flaw = flawOf(door.kind, rule);
    if (flaw !== null) throw new Error(`${method.toUpperCase()} ${door.path}: ${flaw}`);
    const { limits, forms } = this.parts;
    const scopes = 'scope' in rule ? scopesOf(rule) : [];
    const isPersonal = rule.personal === true || rule.who !== 'anyone';
    const guard: RequestHandler = (req, res, next) => {
      admit(req, rule, scopes);
      if (isPersonal || req.reader) res.set('Cache-Control', 'no-store');
      if (!SAFE.has(req.method)) {
        ensureBody(req);
        if (this.needsFormToken(req, rule) && !forms.isValid(req))
          throw new VillageError('foreign_request');
      }
      if (rule.limit === undefined) {
        next();
        return;
      }
      const key = rule.by === 'address' || !req.reader ? addressKey(req.ip) : req.reader.id;
      limits.count(rule.limit, key).then(() => {
        next();
      }, next);
    };
    made.set(guard, door);
    this.router[method](path, guard, ...handlers);
  }
}

/** Doors under `/api/v1`, for tokens and sessions. */
export class ApiDoors extends Doors<ApiRule> {
  private readonly all: Door[] = [];

  /** All doors made so far. */
  get list(): readonly Door[] {
    return this.all;
  }
  protected describe(method: Method, path: string, rule: ApiRule): Door {
    const door: Door = { method, path, kind: 'api', rule };
    this.all.push(door);
    return door;
  }
  /** Only for sessions: no other site can make a browser send a token. */
  protected needsFormToken(req: Request): boolean {
    return !req.reader?.scopes;
  }
}

/** Pages and forms, for sessions alone. */
export class PageDoors extends Doors<PageRule> {
  protected describe(method: Method, path: string, rule: PageRule): Door {
    return { method, path, kind: 'page', rule };
  }
  protected needsFormToken(_req: Request, rule: PageRule): boolean {
    return rule.formToken !== false;
  }
}
