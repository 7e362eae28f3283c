import { z } from 'zod';
import { SlugPath, type Operations } from '../platform/openapi.js';
import { VideoAnswer, VideosAnswer } from './schema.js';

/** What the API says of videos. */
export const videosOperations: Operations = {
  '/videos': { get: { summary: 'Videos and what opens them', answer: VideosAnswer } },
  '/videos/{slug}': { get: { summary: 'A video', path: SlugPath, answer: VideoAnswer } },
  '/videos/{slug}/media': {
    get: {
      summary: 'The video itself, by ranges; 403 while it is locked',
      path: SlugPath,
      answer: 'video/mp4',
    },
  },
  '/videos/{slug}/poster': {
    get: { summary: 'Its picture', path: SlugPath, answer: 'image/jpeg' },
  },
  '/videos/{slug}/captions/{language}': {
    get: {
      summary: 'Its captions',
      path: SlugPath.extend({ language: z.string() }),
      answer: 'text/vtt',
    },
  },
};
