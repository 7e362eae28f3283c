import { z } from 'zod';
import { NETWORKS } from '../networks/network.js';
import type { RuleKind } from './rule-kind.js';

/** Follow `need` of these athletes, on the network named or, where it is null, on any. */
export const FollowRule = z
  .object({
    kind: z.literal('follow'),
    athletes: z.array(z.string().min(1)).min(1).max(20),
    need: z.number().int().min(1),
    network: z.enum(NETWORKS).nullable(),
  })
  .refine((rule) => rule.need <= rule.athletes.length, 'needs_too_many');
export type FollowRule = z.output<typeof FollowRule>;

/** How many of its athletes a fan follows, and which, in the rule's order. */
export interface FollowState {
  kind: 'follow';
  network: FollowRule['network'];
  need: number;
  have: number;
  athletes: { id: string; followed: boolean }[];
}

/** The rule that asks for follows. */
export const followKind: RuleKind<FollowRule, FollowState> = {
  judge({ network, need, athletes: ids }, { followed }) {
    const networks = network ? [network] : NETWORKS;
    const athletes = ids.map((id) => ({
      id,
      followed: networks.some((each) => followed.has(`${id}:${each}`)),
    }));
    const have = athletes.filter((athlete) => athlete.followed).length;
    return { open: have >= need, state: { kind: 'follow', network, need, have, athletes } };
  },
  mayHold: (rule, { points }) => points >= followKind.leastPoints(rule),
  athletes: (rule) => rule.athletes,
  scopes: () => [],
  // Every follow that counts here is a point that the fan holds.
  leastPoints: (rule) => rule.need,
  /** Each hidden athlete lowers the need by one, so that nobody loses what they had opened. */
  without(rule, hidden) {
    const athletes = rule.athletes.filter((id) => !hidden.has(id));
    const need = rule.need - (rule.athletes.length - athletes.length);
    return need > 0 ? { ...rule, athletes, need } : null;
  },
};
