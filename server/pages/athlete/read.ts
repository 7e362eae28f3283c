import type { AthleteRecord, Athletes } from '../../athletes/service.js';
import type { Follows } from '../../follows/service.js';
import type { NetworkId } from '../../networks/network.js';
import type { Posts } from '../../posts/service.js';
import type { AccountRecord, Registry } from '../../registry/service.js';
import { athletesNamedIn, type Videos, type VideoState } from '../../videos/service.js';
import type { ChatRecord, Chats } from '../../village/service.js';

/** The rooms that tell what an athlete's page shows. */
export interface AthletePageParts {
  athletes: Athletes;
  registry: Registry;
  follows: Follows;
  videos: Videos;
  chats: Chats;
  posts: Posts;
}

/** An account of an athlete, and where the reader stands with it. */
export interface AccountView {
  id: string;
  /** The network's own id. */
  account: string;
  network: NetworkId;
  handle: string;
  url: string;
  state: string;
  since: Date | null;
  reason: string | null;
  turn: number;
  held: boolean;
  mode: string;
  linked: boolean;
  earns: boolean;
  verified: boolean;
}

/** What an athlete's page and the API tell alike. */
export interface AthleteView {
  athlete: AthleteRecord;
  accounts: AccountView[];
  videos: VideoState[];
  chat: ChatRecord | null;
  /** The athletes that the videos and their locks name. */
  people: Map<string, AthleteRecord>;
}

/** The accounts of an athlete that the public may see. */
async function readAccounts(
  { registry, follows }: AthletePageParts,
  athlete: AthleteRecord,
  reader: string | null,
): Promise<AccountView[]> {
  const [all, verified] = await Promise.all([
    registry.publicOf(athlete._id),
    registry.verifiedOf(athlete._id),
  ]);
  const states = await follows.states(reader, verified);
  const isProvedOn = (network: string): boolean =>
    verified.some((account) => account.network === network);
  // A claim to a network on which somebody else's claim is proved may be an impostor's, and one the
  // public was warned of stays a fake: they are not shown.
  const isShown = ({ state, warning, network }: AccountRecord): boolean =>
    state !== 'candidate' || (warning === null && !isProvedOn(network));
  return all.filter(isShown).map((account): AccountView => {
    const follow = states.get(account._id);
    return {
      id: account._id,
      account: account.accountId,
      network: account.network,
      handle: account.handle,
      url: registry.urlOf(account),
      state: account.state,
      since: account.since,
      // What moderators wrote of a grant is theirs alone.
      reason: account.state === 'revoked' ? (account.warning?.reason ?? null) : null,
      turn: follow?.turn ?? 0,
      held: follow?.held ?? false,
      mode: follow?.mode ?? 'off',
      linked: follow?.linked ?? false,
      earns: account.state === 'verified' && follow !== undefined && follow.mode !== 'off',
      verified: account.state === 'verified',
    };
  });
}

/** Reads what an athlete's page and the API tell alike, for this reader or for a visitor. */
export async function readAthlete(
  parts: AthletePageParts,
  athlete: AthleteRecord,
  reader: string | null,
): Promise<AthleteView> {
  const [accounts, videos, chat] = await Promise.all([
    readAccounts(parts, athlete, reader),
    parts.videos.concerning(reader, athlete._id),
    parts.chats.nextOf(athlete._id),
  ]);
  const people = await parts.athletes.byIds(athletesNamedIn(videos));
  return { athlete, accounts, videos, chat, people };
}
