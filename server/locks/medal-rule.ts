import { z } from 'zod';
import type { RuleKind } from './rule-kind.js';

/** The ranks of medals, the lowest first. */
const RANKS = ['bronze', 'silver', 'gold'] as const;

/** Hold a medal of this rank or a higher one, on the hub or in a discipline. */
export const MedalRule = z.object({
  kind: z.literal('medal'),
  scope: z.string().min(1),
  medal: z.enum(RANKS),
});
export type MedalRule = z.output<typeof MedalRule>;

/** The medal that is asked for, and what the fan holds in its scope. */
export interface MedalState {
  kind: 'medal';
  scope: string;
  medal: MedalRule['medal'];
  held: string | null;
}

const isEnough = (held: string | null, asked: MedalRule['medal']): boolean =>
  RANKS.some((rank, index) => rank === held && index >= RANKS.indexOf(asked));

/** The rule that asks for a medal. */
export const medalKind: RuleKind<MedalRule, MedalState> = {
  judge({ scope, medal }, { medals }) {
    const held = medals.get(scope) ?? null;
    return { open: isEnough(held, medal), state: { kind: 'medal', scope, medal, held } };
  },
  mayHold: ({ scope, medal }, { medals }) => isEnough(medals.after[scope] ?? null, medal),
  athletes: () => [],
  scopes: (rule) => [rule.scope],
  leastPoints: () => 0,
  without: (rule) => rule,
};
