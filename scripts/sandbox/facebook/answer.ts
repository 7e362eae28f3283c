import { secret } from '../secret.js';

/** What Graph answers to a call, by itself or as a part of a batch. */
export interface Answer {
  status: number;
  body: unknown;
}

/** Makes an answer of success. */
export const good = (body: unknown): Answer => ({ status: 200, body });

/** Makes an error of Graph; `subcode` says more about some codes. */
export const fault = (
  status: number,
  message: string,
  code: number,
  { type = 'OAuthException', subcode }: { type?: string; subcode?: number } = {},
): Answer => ({
  status,
  body: {
    error: {
      message,
      type,
      code,
      ...(subcode ? { error_subcode: subcode } : {}),
      fbtrace_id: `A${secret(8)}`,
    },
  },
});
