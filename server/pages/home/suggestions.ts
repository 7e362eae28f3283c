import type { Follows } from '../../follows/service.js';
import type { VerifiedAccount } from '../../registry/service.js';

/** Suggestions are chosen among so many accounts. */
const CANDIDATES = 200;
const SUGGESTED = 4;

/** An account to follow, and where the reader stands with it. */
export interface Suggestion {
  account: VerifiedAccount;
  held: boolean;
  turn: number;
}

/** Chooses up to four accounts of different athletes, and of different disciplines if it can. */
function chooseVaried(sorted: Suggestion[]): Suggestion[] {
  const chosen: Suggestion[] = [];
  const isAlike = (a: VerifiedAccount, b: VerifiedAccount, byDiscipline: boolean): boolean =>
    a.athlete.id === b.athlete.id ||
    (byDiscipline && a.athlete.disciplines[0] === b.athlete.disciplines[0]);
  for (const byDiscipline of [true, false])
    for (const suggestion of sorted) {
      if (chosen.length >= SUGGESTED) return chosen;
      const { account } = suggestion;
      if (!chosen.some((other) => isAlike(other.account, account, byDiscipline)))
        chosen.push(suggestion);
    }
  return chosen;
}

/** Suggests accounts of different athletes and disciplines, those not yet followed first. */
export async function suggest(
  accounts: VerifiedAccount[],
  follows: Follows,
  reader: string | null,
): Promise<Suggestion[]> {
  const candidates = accounts.slice(0, CANDIDATES);
  const states = await follows.states(reader, candidates);
  const sorted = candidates
    .map((account): Suggestion => {
      const state = states.get(account.id);
      return { account, held: state?.held ?? false, turn: state?.turn ?? 0 };
    })
    .sort(
      (a, b) =>
        Number(a.held) - Number(b.held) ||
        (a.account.athlete.slug < b.account.athlete.slug ? -1 : 1),
    );
  return chooseVaried(sorted);
}
