/**
 * Every error a person or a program can meet: stable id → HTTP status. The words are in
 * `views/words/errors.json`, both languages.
 */
export const ERRORS = {
  bad_input: 400,
  bad_file: 400,
  bad_cursor: 400,
  not_signed_in: 401,
  bad_token: 401,
  not_allowed: 403,
  foreign_request: 403,
  card_off: 403,
  locked: 403,
  too_young: 403,
  missing_scope: 403,
  not_found: 404,
  athlete_not_found: 404,
  account_not_found: 404,
  video_not_found: 404,
  chat_not_found: 404,
  board_not_found: 404,
  fan_not_found: 404,
  job_not_found: 404,
  still_following: 409,
  not_linked: 409,
  not_verified: 409,
  not_supported: 409,
  own_account: 409,
  which_account: 409,
  identity_taken: 409,
  network_already_linked: 409,
  already_decided: 409,
  account_taken: 409,
  too_many_tokens: 409,
  chat_closed: 409,
  chat_turn: 409,
  too_large: 413,
  unsupported_media: 415,
  bad_range: 416,
  login_denied: 400,
  login_failed: 400,
  login_expired: 400,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
  busy: 503,
  network_down: 502,
} as const;

/** The stable id of an error. */
export type ErrorId = keyof typeof ERRORS;

/**
 * One wrong field of a form or body: `path` names it (`text`, `locks.0.need`), `issue` is a zod
 * issue code or a word of ours.
 */
export interface FieldIssue {
  path: string;
  issue: string;
  params?: Record<string, string | number>;
}

/**
 * An error with a stable id. `params` fill its words; `extra` are members of the problem document
 * (RFC 9457, 3.2).
 */
export class VillageError extends Error {
  readonly status: number;
  constructor(
    readonly id: ErrorId,
    readonly params: Record<string, string | number> = {},
    readonly extra: Record<string, unknown> = {},
  ) {
    super(id);
    this.name = 'VillageError';
    this.status = ERRORS[id];
  }
}

/** Input that does not fit its schema; `issues` say where and how. */
export class InputError extends VillageError {
  constructor(readonly issues: FieldIssue[]) {
    super('bad_input', { field: issues[0]?.path ?? '' });
  }
}
