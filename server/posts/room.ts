import type { Networks } from '../networks/service.js';
import type { Platform } from '../platform/platform.js';
import type { Registry } from '../registry/service.js';
import { postsJobs } from './jobs.js';
import { Posts } from './service.js';

/** Builds the posts of verified accounts, and the job that fetches them. */
export function createPosts(
  platform: Pick<Platform, 'connection' | 'clock' | 'jobs'>,
  needs: { networks: Networks; registry: Registry },
): Posts {
  const posts = new Posts({ ...platform, ...needs });
  postsJobs(platform.jobs, posts, platform.clock);
  return posts;
}
