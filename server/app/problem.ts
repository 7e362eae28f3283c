import { InputError, VillageError, type FieldIssue } from '../errors.js';
import { NetworkError } from '../networks/network.js';
import type { Language, Words } from '../platform/i18n.js';
import { isStoreAway } from '../platform/mongo.js';

/** The error of ours that any thrown thing means; `internal` for what nobody foresaw. */
export function asVillageError(thrown: unknown): VillageError {
  if (thrown instanceof VillageError) return thrown;
  if (isStoreAway(thrown)) return new VillageError('unavailable', { seconds: 2 });
  if (thrown instanceof NetworkError)
    return new VillageError('network_down', { network: thrown.network });
  // The parsers of bodies and the sender of files throw errors with a status of HTTP.
  const { status } = thrown as { status?: number };
  if (status === 404) return new VillageError('not_found');
  if (status === 413) return new VillageError('too_large', { limit: 65_536 });
  if (status === 415) return new VillageError('unsupported_media');
  if (status !== undefined && status >= 400 && status < 500)
    return new VillageError('bad_input', { field: 'body' });
  return new VillageError('internal');
}

/** Title and text of an error in the reader's language. */
export function wordsOf(
  words: Words,
  language: Language,
  { id, params }: VillageError,
): { title: string; detail: string } {
  const network = params['network'] && words.t(language, `networks.${String(params['network'])}`);
  const named = network ? { ...params, network } : params;
  return {
    title: words.t(language, `errors.${id}.title`, named),
    detail: words.t(language, `errors.${id}.text`, named),
  };
}

/** What is wrong with each field of the input, in the reader's language. */
function fieldErrors(words: Words, language: Language, error: VillageError) {
  const given = error.extra['issues'] as FieldIssue[] | undefined;
  const issues = error instanceof InputError ? error.issues : (given ?? []);
  return issues.map(({ path, issue, params = {} }) => {
    const key = `errors.issue.${issue}`;
    const isKnown = words.has(language, key);
    const message = isKnown
      ? words.t(language, key, params)
      : words.t(language, 'errors.issue.other');
    return { path, issue, message };
  });
}

/** An error as a problem document (RFC 9457). */
export function problemOf(
  words: Words,
  language: Language,
  error: VillageError,
  requestId: string,
): Record<string, unknown> {
  const { title, detail } = wordsOf(words, language, error);
  const errors = fieldErrors(words, language, error);
  return {
    type: `urn:village:problem:${error.id}`,
    title,
    status: error.status,
    detail,
    id: error.id,
    instance: requestId,
    ...error.extra,
    ...(errors.length > 0 ? { errors, issues: undefined } : {}),
  };
}
