import { Files } from '../platform/files.js';
import type { Platform } from '../platform/platform.js';
import { Videos, type VideoParts } from './service.js';

/** Exclusive videos and the locks before them. */
export const createVideos = (
  platform: Pick<Platform, 'connection' | 'changes' | 'audit' | 'bus' | 'clock'>,
  needs: Pick<VideoParts, 'locks' | 'athletes'>,
): Videos => new Videos({ ...platform, ...needs, files: new Files(platform.connection) });
