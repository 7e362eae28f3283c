import { z } from 'zod';
import { disciplineOf } from './disciplines.js';
import type { AthleteFacts } from './facts.js';
import type { Judged } from './rows.js';

const count = z
  .string()
  .regex(/^\d{1,4}$/, 'no_count')
  .transform(Number);

/** A row of the import format, `scripts/data/README.md`. */
const Row = z.object({
  source: z.string().trim().min(1).max(60),
  source_id: z.string().trim().min(1).max(60),
  name: z.string().trim().min(1).max(200),
  sex: z.enum(['F', 'M', 'X', '']),
  noc: z.string().regex(/^([A-Z]{3})?$/, 'no_noc'),
  country: z.string().trim().max(100),
  sports: z
    .string()
    .min(1)
    .transform((text, context) =>
      text.split(';').map((name) => {
        const slug = disciplineOf(name);
        if (!slug) context.addIssue({ code: 'custom', message: `unknown_discipline ${name}` });
        return slug ?? '';
      }),
    ),
  games: z.string().transform((text, context) =>
    text
      .split(';')
      .filter(Boolean)
      .map((name) => {
        const match = /^(\d{4}) (Summer|Winter)$/.exec(name.trim());
        if (!match) context.addIssue({ code: 'custom', message: `no_games ${name}` });
        return `${match?.[1] ?? ''}-${(match?.[2] ?? '').toLowerCase()}`;
      }),
  ),
  gold: count,
  silver: count,
  bronze: count,
  last_year: z
    .string()
    .regex(/^\d{4}$/, 'no_year')
    .transform(Number),
});

const factsOf = (row: z.output<typeof Row>): AthleteFacts => ({
  source: row.source,
  sourceId: row.source_id,
  name: row.name,
  sex: row.sex,
  noc: row.noc,
  country: row.country,
  disciplines: [...new Set(row.sports)],
  games: row.games,
  medals: { gold: row.gold, silver: row.silver, bronze: row.bronze },
  lastYear: row.last_year,
});

/** The facts in a record of an import file, or the reason why it is no row. */
export function judgeRow(record: Record<string, string>): Judged<AthleteFacts> {
  const parsed = Row.safeParse(record);
  if (parsed.success) return { row: factsOf(parsed.data) };
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  return { reason: issues.join('; ') };
}
