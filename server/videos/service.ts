import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Connection, Model } from 'mongoose';
import type { Athletes } from '../athletes/service.js';
import { InputError, VillageError } from '../errors.js';
import type { Award } from '../events.js';
import {
  athletesOf,
  judge,
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
import { languageFor } from '../platform/i18n.js';
import { VideoFacts } from './schema.js';
import { videoModel, type VideoRecord } from './video.model.js';
import { may } from '../platform/rights.js';

export type { VideoRecord } from './video.model.js';

/** What videos need of the hub and of the rooms below. */
export interface VideoParts {
  connection: Connection;
  files: Files;
  locks: Locks;
  athletes: Athletes;
  changes: Changes;
  audit: Audit;
  bus: Bus;
  clock: Clock;
}
/** A video with its lock judged for one reader. */
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

/** The largest file that is taken. */
const MOST_BYTES = 200 * 1_048_576;
/** How long videos are kept in memory while nothing is known to have changed. */
const KEPT_MS = 60_000;

/** Exclusive videos: the media are refused by the server itself, at every request. */
export class Videos {
  private readonly records: Model<VideoRecord>;
  private readonly known = new SwrCache<Published>(KEPT_MS);

  constructor(private readonly parts: VideoParts) {
    const { connection, bus, changes } = parts;
    this.records = videoModel(connection);
    const forget = (): void => {
      this.known.invalidate();
    };
    for (const topic of ['videos:changed', 'athletes:changed'] as const) bus.on(topic, forget);
    for (const kind of ['videos', 'athletes']) changes.on(kind, forget);
  }

  /**
   * Publishes a video, or replaces it. Files are checked by their bytes, not by their names (ASVS
   * 5.2.2). Throws `not_allowed`, `bad_file`, `too_large`, or an InputError.
   */
  async publish(
    actor: { id: string; roles: readonly string[] },
    given: VideoFacts,
    files: VideoFiles,
  ): Promise<VideoRecord> {
    if (!may(actor.roles, 'organise')) throw new VillageError('not_allowed');
    const parsed = VideoFacts.safeParse(given);
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
        { $set: { ...facts, media, poster, published: true, publishedAt: this.parts.clock.now() } },
        { upsert: true },
      )
      .lean<VideoRecord>();
    if (old)
      await Promise.all([
        this.parts.files.remove(old.media.file),
        this.parts.files.remove(old.poster.file),
      ]);
    await this.parts.audit.add({ by: actor.id, act: 'video.published', on: `video:${slug}` });
    this.known.invalidate();
    await this.parts.changes.mark('videos');
    this.parts.bus.tell('videos:changed', { slug });
    return this.require(slug);
  }

  private async take(name: string, path: string, types: string[]): Promise<VideoRecord['media']> {
    const { fileTypeFromFile } = await import('file-type');
    const { size } = await stat(path);
    const type = (await fileTypeFromFile(path))?.mime ?? '';
    if (!types.includes(type)) throw new VillageError('bad_file', { file: name });
    if (size > MOST_BYTES) throw new VillageError('too_large', { limit: MOST_BYTES });
    const stored = await this.parts.files.put(name, createReadStream(path));
    return { file: stored.id, length: stored.length, type };
  }

  private async load(): Promise<Published> {
    await this.parts.changes.look();
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

  /** Lists published videos, newest first, as fresh as `Changes`. */
  async published(): Promise<VideoRecord[]> {
    return (await this.load()).videos;
  }

  /** Leaves out videos of hidden athletes, and hidden athletes from locks (RULES R13). */
  private async shown(videos: VideoRecord[]): Promise<VideoRecord[]> {
    const hidden = await this.parts.athletes.hidden();
    return videos
      .filter((video) => !hidden.has(video.athlete))
      .map((video) => ({ ...video, lock: lockWithout(video.lock, hidden) }));
  }

  private async require(slug: string): Promise<VideoRecord> {
    const [found] = await this.shown(
      await this.records.find({ _id: slug, published: true }).lean<VideoRecord[]>(),
    );
    if (!found) throw new VillageError('video_not_found', { slug });
    return found;
  }

  /** Judges the locks of these videos for a fan, from one read. */
  async states(fan: string | null, videos: VideoRecord[]): Promise<VideoState[]> {
    const facts = await this.parts.locks.facts(
      fan,
      videos.map((video) => video.lock),
    );
    return videos.map((video) => ({ video, ...judge(video.lock, facts) }));
  }

  /** Lists published videos, each judged for a fan or visitor. */
  async list(fan: string | null): Promise<VideoState[]> {
    return this.states(fan, await this.published());
  }

  /** Lists videos that an athlete is in, or that following them helps to open. */
  async concerning(fan: string | null, athlete: string): Promise<VideoState[]> {
    return this.states(
      fan,
      (await this.published()).filter(
        (video) => video.athlete === athlete || athletesOf(video.lock).includes(athlete),
      ),
    );
  }

  /** Judges one video for a fan or visitor. Throws `video_not_found`. */
  async get(fan: string | null, slug: string): Promise<VideoState> {
    const [state] = await this.states(fan, [await this.require(slug)]);
    return state as VideoState;
  }

  /**
   * Answers the record of a video that is open to a fan, judged at this very request. Throws
   * `locked`, and `video_not_found` for one that is not published.
   */
  async open(fan: string | null, slug: string): Promise<VideoRecord> {
    const { video, open } = await this.get(fan, slug);
    if (!open) throw new VillageError('locked', { slug });
    return video;
  }

  /** Reads a range of bytes of a stored file. */
  read(file: VideoRecord['media'], range: ByteRange): AsyncIterable<Uint8Array> {
    return this.parts.files.read(file.file, range);
  }

  /** Finds the poster of a video, which everybody may see. Throws `video_not_found`. */
  async posterOf(slug: string): Promise<VideoRecord['media']> {
    return (await this.require(slug)).poster;
  }

  /**
   * The athletes that the locks naming this one ask of too; see `LockIndex`. Satisfies `Unlocks` of
   * follows.
   */
  async relatedTo(athlete: string): Promise<ReadonlyMap<string, number>> {
    return (await this.load()).index.beside(athlete);
  }

  /**
   * Which videos an award opened. Reads nothing when no lock names who was gained or a medal that
   * moved. Satisfies `Unlocks` of follows.
   */
  async openedBy(award: Award, language: string): Promise<{ slug: string; title: string }[]> {
    const touched = (await this.load()).index.touched(award);
    const opened = touched.length > 0 ? await this.parts.locks.opened(award, touched) : [];
    return opened.map((video) => ({
      slug: video._id,
      title: video.title[languageFor(language)],
    }));
  }
}

/** The athletes that these videos and their locks name, to be read together. */
export const athletesNamedIn = (states: readonly VideoState[]): string[] =>
  states.flatMap(({ video }) => [video.athlete, ...athletesOf(video.lock)]);
