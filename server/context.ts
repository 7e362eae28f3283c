import { DISCIPLINES } from './athletes/disciplines.js';
import { createAthletes } from './athletes/room.js';
import type { Search } from './athletes/search.js';
import type { Athletes } from './athletes/service.js';
import type { Config } from './config.js';
import { createFans } from './fans/room.js';
import type { Fans } from './fans/service.js';
import type { SignIn } from './fans/sign-in.js';
import type { ApiTokens } from './fans/tokens.js';
import { createFollows } from './follows/room.js';
import type { Follows } from './follows/service.js';
import { Locks } from './locks/service.js';
import type { Cards } from './networks/cards.js';
import { createNetworks } from './networks/room.js';
import type { Networks } from './networks/service.js';
import { ensureIndexes, missingIndexes } from './platform/mongo.js';
import {
  closePlatform,
  openPlatform,
  type Platform,
  type PlatformOverrides,
} from './platform/platform.js';
import { createPoints } from './points/room.js';
import type { Points } from './points/service.js';
import { createPosts } from './posts/room.js';
import type { Posts } from './posts/service.js';
import { createRegistry } from './registry/room.js';
import type { Registry } from './registry/service.js';
import { createVideos } from './videos/room.js';
import type { Videos } from './videos/service.js';
import { createChats } from './village/room.js';
import type { Chats } from './village/service.js';

/** What tests steer and a program does not. */
export interface Overrides extends PlatformOverrides {
  /** Whether this process searches the directory (yes, unless said otherwise). */
  search?: boolean;
  /** How long after a first `no` the second must be asked, in ms. */
  doubtPatienceMs?: number;
}

/** Every service of a process, built once. Only the wiring names this type. */
export interface Context extends Platform {
  networks: Networks;
  cards: Cards;
  athletes: Athletes;
  search: Search | null;
  fans: Fans;
  tokens: ApiTokens;
  signIn: SignIn;
  points: Points;
  registry: Registry;
  follows: Follows;
  posts: Posts;
  videos: Videos;
  chats: Chats;
  /** Indexes that the models name and the store does not have. */
  missingIndexes(): Promise<string[]>;
  /** Makes indexes and writes what must be there at a first start. */
  release(): Promise<void>;
  /** Ends what runs, then the connections. */
  close(): Promise<void>;
}

/**
 * Connects the stores and builds every room, lowest first: the only wiring. Throws when a store
 * cannot be reached, or is not to be written to with these settings.
 */
export async function createContext(
  config: Config,
  name: string,
  overrides: Overrides = {},
): Promise<Context> {
  const platform = await openPlatform(config, name, overrides);
  const { networks, cards } = createNetworks(platform);
  const { athletes, search } = createAthletes(platform, overrides.search !== false);
  const { fans, tokens, signIn } = createFans(platform, { networks });
  const points = await createPoints(platform, { standing: fans, disciplines: DISCIPLINES }).catch(
    async (error: unknown) => {
      await closePlatform(platform);
      throw error;
    },
  );
  const registry = createRegistry(platform, { networks, athletes, fans });
  const posts = createPosts(platform, { networks, registry });
  const { follows, facts } = createFollows(
    platform,
    { fans, cards, networks, registry, points },
    overrides.doubtPatienceMs,
  );
  const locks = new Locks(facts);
  const videos = createVideos(platform, { locks, athletes });
  const chats = createChats(platform, { fans, registry, athletes });
  follows.onUnlock(videos);

  return {
    ...platform,
    ...{ networks, cards, athletes, search, fans, tokens, signIn },
    ...{ points, registry, follows, posts, videos, chats },
    missingIndexes: () => missingIndexes(platform.connection),
    release: async () => {
      await ensureIndexes(platform.connection);
      await cards.seed();
      await points.release();
    },
    close: async () => {
      // Jobs award points: they end first.
      await platform.jobs.stop();
      await points.stop();
      await search?.stop();
      await closePlatform(platform);
    },
  };
}
