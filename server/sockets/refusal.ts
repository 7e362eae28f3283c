import { asVillageError, wordsOf } from '../app/problem.js';
import { VillageError } from '../errors.js';
import type { Words } from '../platform/i18n.js';
import type { Log } from '../platform/logs.js';
import type { VillageSocket } from '../village/socket.js';
import { SENT_WITH } from '../wire.js';
import { claimsOf } from './claims.js';

/** What an acknowledgement tells of an error, in the words of the socket's page. */
export type Refusal = (
  error: unknown,
  socket: VillageSocket,
) => { error: { id: string; message: string } };

/** Turns errors into acknowledgements; what nobody foresaw is logged and told as `internal`. */
export const refusals =
  (words: Words, log: Log): Refusal =>
  (thrown, socket) => {
    const error = asVillageError(thrown);
    if (error.id === 'internal') log.error({ err: thrown }, 'a socket event failed');
    const { detail } = wordsOf(words, claimsOf(socket).lang, error);
    return { error: { id: error.id, message: detail } };
  };

/** Lets only events pass that exist, with one input and an acknowledgement at most. */
export function refuseUnknownEvents(socket: VillageSocket, refusal: Refusal): void {
  socket.use(([event, ...rest], next) => {
    const args: unknown[] = rest;
    const isKnown = Object.hasOwn(SENT_WITH, event);
    if (isKnown && args.length <= 2 && !args.some((arg) => Buffer.isBuffer(arg))) {
      next();
      return;
    }
    const ack = args.at(-1);
    if (typeof ack !== 'function') return;
    const unknown = new VillageError('bad_input', { field: 'event' });
    (ack as (answer: unknown) => void)(refusal(unknown, socket));
  });
}
