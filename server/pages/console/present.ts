import type { Language, Words } from '../../platform/i18n.js';
import type { EndedJob } from '../../platform/job-overview.js';
import type { EndedJobsAnswer } from './schema.js';

interface EndedJobs {
  items: EndedJob[];
  total: number;
}

/** Jobs that were given up, in JSON. */
export const presentEndedJobs = ({ items, total }: EndedJobs): EndedJobsAnswer => ({
  items: items.map((job) => ({ ...job, failedAt: job.failedAt.toISOString() })),
  total,
});

/** What a kind of job does, in words. */
function titleOf(words: Words, language: Language, kind: string): string {
  const key = `console.kinds.${kind.replace('.', '_')}`;
  return words.t(language, words.has(language, key) ? key : 'console.kinds.other');
}

/** The organisers' page; `notice` says what became of the job that was just started again. */
export const presentConsole = (
  words: Words,
  language: Language,
  { items, total }: EndedJobs,
  notice: unknown,
) => ({
  started: notice === 'started',
  gone: notice === 'gone',
  total,
  items: items.map((job) => ({ ...job, title: titleOf(words, language, job.kind) })),
});
