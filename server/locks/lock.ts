import { z } from 'zod';

/**
 * Follow so many of these athletes (on one named network, or on any), or hold a medal of this rank
 * or a higher one.
 */
export const Rule = z.discriminatedUnion('kind', [
  z
    .object({
      kind: z.literal('follow'),
      athletes: z.array(z.string().min(1)).min(1).max(20),
      need: z.number().int().min(1),
      network: z.enum(['x', 'facebook']).nullable(),
    })
    .refine((rule) => rule.need <= rule.athletes.length, 'needs_too_many'),
  z.object({
    kind: z.literal('medal'),
    scope: z.string().min(1),
    medal: z.enum(['bronze', 'silver', 'gold']),
  }),
]);
export type Rule = z.output<typeof Rule>;
/** Every rule must hold; none at all is always open. */
export const Lock = z.array(Rule).max(5);
export type Lock = z.output<typeof Lock>;

export interface Facts {
  followed: ReadonlySet<string>;
  medals: ReadonlyMap<string, string>;
}
/** What one rule still asks for. `followed` tells each athlete's state, in the rule's order. */
export type Missing =
  | {
      kind: 'follow';
      network: 'x' | 'facebook' | null;
      need: number;
      have: number;
      athletes: { id: string; followed: boolean }[];
    }
  | { kind: 'medal'; scope: string; medal: string; held: string | null };

const ORDER = ['bronze', 'silver', 'gold'];

function judgeRule(rule: Rule, facts: Facts): { open: boolean; state: Missing } {
  if (rule.kind === 'medal') {
    const held = facts.medals.get(rule.scope) ?? null;
    return {
      open: held !== null && ORDER.indexOf(held) >= ORDER.indexOf(rule.medal),
      state: { kind: 'medal', scope: rule.scope, medal: rule.medal, held },
    };
  }
  const networks = rule.network ? [rule.network] : ['x', 'facebook'];
  const athletes = rule.athletes.map((id) => ({
    id,
    followed: networks.some((network) => facts.followed.has(`${id}:${network}`)),
  }));
  const have = athletes.filter((one) => one.followed).length;
  return {
    open: have >= rule.need,
    state: { kind: 'follow', network: rule.network, need: rule.need, have, athletes },
  };
}

/** Whether a lock is open on these facts, and what it still asks for. */
export function judge(
  lock: Lock,
  facts: Facts,
): { open: boolean; missing: Missing[]; rules: Missing[] } {
  const judged = lock.map((rule) => judgeRule(rule, facts));
  return {
    open: judged.every((one) => one.open),
    missing: judged.filter((one) => !one.open).map((one) => one.state),
    rules: judged.map((one) => one.state),
  };
}

/** The athletes a lock speaks of. */
export const athletesOf = (lock: Lock): string[] => [
  ...new Set(lock.flatMap((rule) => (rule.kind === 'follow' ? rule.athletes : []))),
];

/**
 * A lock as it stands without these athletes: each of them lowers what its rule needs by one, so
 * that nobody loses what they had opened; a rule that needs nothing any more is gone.
 */
export const lockWithout = (lock: Lock, gone: ReadonlySet<string>): Lock =>
  lock.flatMap((rule): Rule[] => {
    if (rule.kind !== 'follow') return [rule];
    const athletes = rule.athletes.filter((id) => !gone.has(id));
    const need = rule.need - (rule.athletes.length - athletes.length);
    return need > 0 ? [{ ...rule, athletes, need }] : [];
  });
