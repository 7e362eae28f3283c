import type { Platform } from '../platform/platform.js';
import { Chats, type ChatParts } from './service.js';

/** Live chats from the village. */
export const createChats = (
  platform: Pick<Platform, 'connection' | 'redis' | 'audit' | 'bus' | 'clock'>,
  needs: Pick<ChatParts, 'fans' | 'registry' | 'athletes'>,
): Chats => new Chats({ ...platform, ...needs });
