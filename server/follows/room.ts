import type { Fans } from '../fans/service.js';
import type { Cards } from '../networks/cards.js';
import type { Networks } from '../networks/service.js';
import type { Platform } from '../platform/platform.js';
import type { Points } from '../points/service.js';
import type { Registry } from '../registry/service.js';
import { CheckLeases } from './check-leases.js';
import { Doubts } from './doubts.js';
import { Evidence } from './evidence.js';
import { FollowFacts } from './facts.js';
import { followsJobs } from './jobs.js';
import { Follows } from './service.js';
import { TakeBackLimit } from './take-back-limit.js';

/** How long after a first `no` the second one must be asked that takes a point back (LEDGER 4). */
const DOUBT_PATIENCE_MS = 12 * 3_600_000;

/** Builds the room: checks of what fans did on networks, and what locks may know of it. */
export function createFollows(
  platform: Pick<
    Platform,
    'connection' | 'settings' | 'audit' | 'clock' | 'log' | 'metrics' | 'jobs' | 'bus'
  >,
  needs: { fans: Fans; cards: Cards; networks: Networks; registry: Registry; points: Points },
  doubtPatienceMs: number = DOUBT_PATIENCE_MS,
): { follows: Follows; facts: FollowFacts } {
  const { connection, metrics, jobs } = platform;
  const { networks, points } = needs;
  const takeBackLimit = new TakeBackLimit({
    ...platform,
    held: (network) => points.heldCount(`${networks.adapter(network).accountDeed}:${network}:`),
  });
  metrics.watchAll(
    'village_taking_stopped',
    'Taking back is stopped on a network until a person lets it go on',
    'network',
    async () => {
      const stops = await takeBackLimit.stops();
      return new Map(networks.all().map(({ id }) => [id, stops.has(id) ? 1 : 0]));
    },
  );
  const follows = new Follows({
    ...platform,
    ...needs,
    checkLeases: new CheckLeases(connection, platform.clock),
    doubts: new Doubts(connection, doubtPatienceMs, takeBackLimit),
    takeBackLimit,
    evidence: new Evidence(connection),
  });
  needs.fans.onLinked(follows);
  followsJobs(jobs, follows);
  return { follows, facts: new FollowFacts(needs) };
}
