import express, { type Request, type RequestHandler, type Router } from 'express';
import { VillageError } from '../errors.js';
import { SAFE, type FormTokens } from './guard.js';
import { addressKey, type LimitName, type Limits } from './limits.js';
import type { Scope } from './rights.js';

/** What a door says of itself where it is made; without it there is no door. */
interface Rule {
  /** Whom it lets in: anyone, a signed-in fan, or a fan who has one of these roles. */
  who: 'anyone' | 'fan' | readonly string[];
  /** What its use counts against, before anything is looked at or written. */
  limit?: LimitName;
  /**
   * A limit counts by fan, and by address for whoever is none; `address` counts everybody by
   * address.
   */
  by?: 'address';
  /**
   * Nothing keeps its answers, a visitor's neither. What a fan is answered is kept nowhere in any
   * case (ASVS 14.3.2).
   */
  personal?: true;
  /** Whoever lacks the role is not told that there is anything here. */
  hidden?: true;
}
/** A door for programs and for the hub's own scripts: known by token or session. */
export interface ApiRule extends Rule {
  /**
   * What a token must allow, one of these; `none` when the answer is the same for everybody. A
   * token that allows something else is refused; where anyone may come in, it comes in as nobody.
   */
  scope: 'none' | Scope | readonly Scope[];
}
/** A page or a form: known by session only. */
export interface PageRule extends Rule {
  /** `false` for a form that changes nothing but the look of the browser that sends it. */
  formToken?: false;
}

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** A door that was made: where it is, and its rule. */
export type Door = { method: Method; path: string } & (
  { kind: 'api'; rule: ApiRule } | { kind: 'page'; rule: PageRule }
);

const made = new WeakMap<RequestHandler, Door>();
/** The door whose rule this handler holds, or null for a handler that holds none. */
export const doorOf = (handler: RequestHandler): Door | null => made.get(handler) ?? null;

/** What a token must allow here, one of these; empty for nothing. */
export const scopesOf = ({ scope }: ApiRule): readonly Scope[] =>
  scope === 'none' ? [] : typeof scope === 'string' ? [scope] : scope;

/**
 * Refuses who may not come in. Throws `not_signed_in`, `missing_scope`, `not_allowed` (or
 * `not_found` where the door is hidden).
 */
function admit(req: Request, { who, hidden }: Rule, scopes: readonly Scope[]): void {
  const { reader } = req;
  const mute =
    reader?.scopes && scopes.length > 0 && !scopes.some((one) => reader.scopes?.includes(one));
  if (who === 'anyone') {
    if (mute) req.reader = null;
    return;
  }
  if (!reader) throw new VillageError('not_signed_in');
  if (mute) throw new VillageError('missing_scope', { scope: scopes.join(', ') });
  if (who !== 'fan' && !who.some((role) => reader.roles.includes(role)))
    throw new VillageError(hidden ? 'not_found' : 'not_allowed');
}

/**
 * A body that no parser took is of a kind that is not understood here; none at all is an empty one.
 * Throws `unsupported_media`.
 */
function needBody(req: Request): void {
  if (req.body !== undefined) return;
  if (
    req.headers['transfer-encoding'] !== undefined ||
    Number(req.headers['content-length'] ?? 0) > 0
  )
    throw new VillageError('unsupported_media');
  req.body = {};
}

/** What is wrong with a declared door, or null. */
function flaw(kind: Door['kind'], rule: unknown): string | null {
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

/** What doors of both kinds stand on. */
export interface DoorParts {
  limits: Limits;
  forms: FormTokens;
}

/**
 * A router whose doors all have rules: `doors.post('/x', { who: 'fan', … }, handler)`. The rule is
 * held here, in one place for all of them, before the handler: who may come in, with which scope,
 * the form token, the limit, that nobody keeps what is personal. A door without a rule throws where
 * it is made, which is when the hub starts.
 */
abstract class Doors<R extends ApiRule | PageRule> {
  /**
   * @param base what the router is mounted at @param router another one than its own, where a few
   * doors are not worth one
   */
  constructor(
    readonly base: string,
    private readonly parts: DoorParts,
    readonly router: Router = express.Router({ caseSensitive: true }),
  ) {}

  protected abstract describe(method: Method, path: string, rule: R): Door;
  /**
   * Whether an unsafe request to this door carries a browser's authority and must prove that a form
   * of ours sent it.
   */
  protected abstract needsFormToken(req: Request, rule: R): boolean;

  get(path: string, rule: R, ...handlers: RequestHandler[]): void {
    this.open('get', path, rule, handlers);
  }
  post(path: string, rule: R, ...handlers: RequestHandler[]): void {
    this.open('post', path, rule, handlers);
  }
  put(path: string, rule: R, ...handlers: RequestHandler[]): void {
    this.open('put', path, rule, handlers);
  }
  patch(path: string, rule: R, ...handlers: RequestHandler[]): void {
    this.open('patch', path, rule, handlers);
  }
  delete(path: string, rule: R, ...handlers: RequestHandler[]): void {
    this.open('delete', path, rule, handlers);
  }

  private open(method: Method, path: string, rule: R, handlers: RequestHandler[]): void {
    const door = this.describe(method, `${this.base}${path}`, rule);
    const wrong = flaw(door.kind, rule);
    if (wrong !== null) throw new Error(`${method.toUpperCase()} ${door.path}: ${wrong}`);
    const { limits, forms } = this.parts;
    const scopes = 'scope' in rule ? scopesOf(rule) : [];
    const unkept = rule.personal === true || rule.who !== 'anyone';
    const hold: RequestHandler = (req, res, next) => {
      admit(req, rule, scopes);
      if (unkept || req.reader) res.set('Cache-Control', 'no-store');
      if (!SAFE.has(req.method)) {
        needBody(req);
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
    made.set(hold, door);
    this.router[method](path, hold, ...handlers);
  }
}

/** Doors under `/api/v1`, for tokens and sessions. */
export class ApiDoors extends Doors<ApiRule> {
  private readonly all: Door[] = [];

  /** Every door made so far. */
  get list(): readonly Door[] {
    return this.all;
  }
  protected describe(method: Method, path: string, rule: ApiRule): Door {
    const door: Door = { method, path, kind: 'api', rule };
    this.all.push(door);
    return door;
  }
  /** A token is sent by programs only: no other site can make a browser send it. */
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
