import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Connection, Model } from 'mongoose';
import { z } from 'zod';
import type { Athletes } from '../athletes/service.js';
import { InputError, VillageError } from '../errors.js';
import type { Award } from '../events.js';
import {
  athletesOf,
  judge,
  Lock,
  LockIndex,
  lockWithout,
  type Locks,
  type Missing,
} from '../locks/service.js';
import type { Audit } from '../platform/audit.js';
import type { Bus } from '../platform/bus.js';
import type { Changes } from '../platform/changes.js';
import type { Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import type { ByteRange, Files } from '../platform/files.js';
import { fieldIssues } from '../platform/http.js';
import { videoModel, type VideoRecord } from './video.model.js';
import { may } from '../platform/rights.js';

export type { VideoRecord } from './video.model.js';
export interface VideoState {
  video: VideoRecord;
  open: boolean;
  missing: Missing[];
  rules: Missing[];
}
/** Files of a video on the way in. */
export interface VideoFiles {
  media: string;
  poster: string;
}

/** The published videos, and which of them an award concerns. */
interface Published {
  videos: VideoRecord[];
  index: LockIndex<VideoRecord>;
}

const text = z.object({ fr: z.string().trim().min(1), en: z.string().trim().min(1) });
const Facts = z.object({
  slug: z.string().regex(/^[a-z0-9-]{3,80}$/),
  title: text,
  about: text,
  athlete: z.string().min(1),
  lock: Lock,
  seconds: z.number().int().min(1).max(7200),
  captions: z.object({ fr: z.string().startsWith('WEBVTT'), en: z.string().startsWith('WEBVTT') }),
  transcript: text,
});
export type VideoFacts = z.input<typeof Facts>;

const MOST_BYTES = 200 * 1_048_576;
/** How long videos are kept while nothing is said to have changed. */
const KEPT_MS = 60_000;

/** Exclusive videos: the media are refused by the server itself, at every request. */
export class Videos {
  private readonly records: Model<VideoRecord>;
  private readonly known = new SwrCache<Published>(KEPT_MS);

  constructor(
    connection: Connection,
    private readonly files: Files,
    private readonly locks: Locks,
    private readonly athletes: Athletes,
    private readonly changes: Changes,
    private readonly audit: Audit,
    private readonly bus: Bus,
    private readonly clock: Clock,
  ) {
    this.records = videoModel(connection);
    const forget = (): void => {
      this.known.invalidate();
    };
    for (const topic of ['videos:changed', 'athletes:changed'] as const) bus.on(topic, forget);
    for (const kind of ['videos', 'athletes']) changes.on(kind, forget);
  }

  /**
   * Publishes a video, or a new form of it. The files are checked by their bytes, not by their
   * names (ASVS 5.2.2).
   */
  async publish(
    actor: { id: string; roles: readonly string[] },
    given: VideoFacts,
    files: VideoFiles,
  ): Promise<VideoRecord> {
    if (!may(actor.roles, 'organise')) throw new VillageError('not_allowed');
    const parsed = Facts.safeParse(given);
    if (!parsed.success) throw new InputError(fieldIssues(parsed.error));
    const { slug, ...facts } = parsed.data;
    const media = await this.take(slug, files.media, ['video/mp4']);
    const poster = await this.take(`${slug}-poster`, files.poster, [
      'image/jpeg',
      'image/png',
      'image/webp',
    ]);
    const old = await this.records
      .findByIdAndUpdate(
        slug,
        { $set: { ...facts, media, poster, published: true, publishedAt: this.clock.now() } },
        { upsert: true },
      )
      .lean<VideoRecord>();
    if (old)
      await Promise.all([this.files.remove(old.media.file), this.files.remove(old.poster.file)]);
    await this.audit.add({ by: actor.id, act: 'video.published', on: `video:${slug}` });
    this.known.invalidate();
    await this.changes.mark('videos');
    this.bus.tell('videos:changed', { slug });
    return this.require(slug);
  }

  private async take(name: string, path: string, types: string[]): Promise<VideoRecord['media']> {
    const { fileTypeFromFile } = await import('file-type');
    const { size } = await stat(path);
    const type = (await fileTypeFromFile(path))?.mime ?? '';
    if (!types.includes(type)) throw new VillageError('bad_file', { file: name });
    if (size > MOST_BYTES) throw new VillageError('too_large', { limit: MOST_BYTES });
    const stored = await this.files.put(name, createReadStream(path));
    return { file: stored.id, length: stored.length, type };
  }

  private async load(): Promise<Published> {
    await this.changes.look();
    return this.known.get('all', async () => {
      const videos = await this.shown(
        await this.records
          .find({ published: true })
          .sort({ publishedAt: -1 })
          .lean<VideoRecord[]>(),
      );
      return { videos, index: new LockIndex(videos) };
    });
  }

  /** All published videos, newest first, as fresh as `Changes`. */
  async published(): Promise<VideoRecord[]> {
    return (await this.load()).videos;
  }

  /** Without videos of hidden athletes, and with locks that do not name one (RULES R13). */
  private async shown(videos: VideoRecord[]): Promise<VideoRecord[]> {
    const hidden = await this.athletes.hidden();
    return videos
      .filter((one) => !hidden.has(one.athlete))
      .map((one) => ({ ...one, lock: lockWithout(one.lock, hidden) }));
  }

  private async require(slug: string): Promise<VideoRecord> {
    const [found] = await this.shown(
      await this.records.find({ _id: slug, published: true }).lean<VideoRecord[]>(),
    );
    if (!found) throw new VillageError('video_not_found', { slug });
    return found;
  }

  /** Videos with their locks judged for a fan, read once for all. */
  async states(fan: string | null, videos: VideoRecord[]): Promise<VideoState[]> {
    const facts = await this.locks.facts(
      fan,
      videos.map((one) => one.lock),
    );
    return videos.map((video) => ({ video, ...judge(video.lock, facts) }));
  }

  async list(fan: string | null): Promise<VideoState[]> {
    return this.states(fan, await this.published());
  }

  /** Videos that an athlete is in, or that following them helps to open. */
  async about(fan: string | null, athlete: string): Promise<VideoState[]> {
    return this.states(
      fan,
      (await this.published()).filter(
        (one) => one.athlete === athlete || athletesOf(one.lock).includes(athlete),
      ),
    );
  }

  async get(fan: string | null, slug: string): Promise<VideoState> {
    const [state] = await this.states(fan, [await this.require(slug)]);
    return state as VideoState;
  }

  /**
   * The record of an open video. Throws `locked`, judged on what is true at this request;
   * `video_not_found` for one not published.
   */
  async open(fan: string | null, slug: string): Promise<VideoRecord> {
    const { video, open } = await this.get(fan, slug);
    if (!open) throw new VillageError('locked', { slug });
    return video;
  }

  /** The bytes of a stored file of a video. */
  read(file: VideoRecord['media'], range: ByteRange): AsyncIterable<Uint8Array> {
    return this.files.read(file.file, range);
  }

  /** The poster may be seen by everybody. */
  async posterOf(slug: string): Promise<VideoRecord['media']> {
    return (await this.require(slug)).poster;
  }

  /**
   * The athletes that the locks naming this one ask of too; see `LockIndex`. Satisfies `Unlocks` of
   * follows.
   */
  async beside(athlete: string): Promise<ReadonlyMap<string, number>> {
    return (await this.load()).index.beside(athlete);
  }

  /**
   * Which videos an award opened. Reads nothing when no lock names who was gained or a medal that
   * moved. Satisfies `Unlocks` of follows.
   */
  async openedBy(award: Award, language: string): Promise<{ slug: string; title: string }[]> {
    const touched = (await this.load()).index.touched(award);
    const opened = touched.length > 0 ? await this.locks.opened(award, touched) : [];
    return opened.map((one) => ({
      slug: one._id,
      title: language === 'en' ? one.title.en : one.title.fr,
    }));
  }
}
