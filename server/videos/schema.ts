import { z } from 'zod';
import { Lock } from '../locks/service.js';

const inBoth = z.object({ fr: z.string().trim().min(1), en: z.string().trim().min(1) });
const Captions = z.string().startsWith('WEBVTT');

/** What an organiser says of a video that is published. */
export const VideoFacts = z.object({
  slug: z.string().regex(/^[a-z0-9-]{3,80}$/),
  title: inBoth,
  about: inBoth,
  athlete: z.string().min(1),
  lock: Lock,
  seconds: z.number().int().min(1).max(7200),
  captions: z.object({ fr: Captions, en: Captions }),
  transcript: inBoth,
});
/** The same before defaults and trimming. */
export type VideoFacts = z.input<typeof VideoFacts>;

/** What one rule of a lock still asks for, in the reader's words too. */
const MissingAnswer = z.object({
  kind: z.enum(['follow', 'medal']),
  text: z.string(),
  need: z.number(),
  have: z.number(),
  athletes: z.array(z.object({ slug: z.string(), name: z.string(), followed: z.boolean() })),
  network: z.string().nullable(),
});

/** A video in JSON: whether it is open to the reader, and what is missing. */
export const VideoAnswer = z.object({
  slug: z.string(),
  title: z.string(),
  about: z.string(),
  seconds: z.number(),
  athlete: z.string().nullable(),
  open: z.boolean(),
  missing: z.array(MissingAnswer),
  media: z.string().optional().meta({ description: 'where it is, when it is open' }),
});
/** The inferred answer. */
export type VideoAnswer = z.infer<typeof VideoAnswer>;

/** `GET /api/v1/videos`. */
export const VideosAnswer = z.object({ items: z.array(VideoAnswer) });
/** The inferred answer. */
export type VideosAnswer = z.infer<typeof VideosAnswer>;
