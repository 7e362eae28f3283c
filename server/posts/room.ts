import type { Networks } from '../networks/service.js';
import type { Platform } from '../platform/platform.js';
import type { Registry } from '../registry/service.js';
import { postsJobs } from './jobs.js';
import { Posts } from './service.js';

/** What verified accounts published. */
export function createPosts(
  { connection, clock, jobs }: Pick<Platform, 'connection' | 'clock' | 'jobs'>,
  { networks, registry }: { networks: Networks; registry: Registry },
): Posts {
  const posts = new Posts(connection, networks, registry, clock);
  postsJobs(jobs, posts, clock);
  return posts;
}
