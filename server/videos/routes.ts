import type { Request, Response } from 'express';
import type { Athletes } from '../athletes/service.js';
import { VillageError } from '../errors.js';
import type { ApiDoors, PageDoors } from '../platform/doors.js';
import type { Downloads, Recipient } from '../platform/downloads.js';
import { byteRange, param } from '../platform/http.js';
import { isLanguage, type Words } from '../platform/i18n.js';
import { addressKey } from '../platform/limits.js';
import { presentVideo, presentVideoItem } from './present.js';
import type { VideosAnswer } from './schema.js';
import { athletesNamedIn, type VideoRecord, type Videos } from './service.js';

interface VideoParts {
  videos: Videos;
  athletes: Athletes;
  words: Words;
}

const addressOf = (req: Request): Recipient => ({ address: addressKey(req.ip) });

/**
 * Sends a stored file: one range or the whole (RFC 9110, 14), fixed type, nothing sniffed, nothing
 * run (ASVS 3.2.1).
 */
async function send(
  req: Request,
  res: Response,
  { videos, downloads }: { videos: Videos; downloads: Downloads },
  { file, cache, to }: { file: VideoRecord['media']; cache: string; to: Recipient },
): Promise<void> {
  // A deadline has answered already: a place taken now would never be given back.
  if (res.headersSent) return;
  const range = byteRange(req, file.length);
  const { start, end } = range ?? { start: 0, end: file.length - 1 };
  const download = req.method === 'HEAD' ? null : downloads.begin(to);
  res.status(range ? 206 : 200).set({
    'Content-Type': file.type,
    'Accept-Ranges': 'bytes',
    'Cache-Control': cache,
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'Content-Disposition': 'inline',
    'Content-Length': String(end - start + 1),
    ...(range ? { 'Content-Range': `bytes ${start}-${end}/${file.length}` } : {}),
  });
  if (download) await download.send(videos.read(file, { start, end }), res);
  else res.end();
}

/** `/api/v1/videos`. */
export function videosApi(router: ApiDoors, parts: VideoParts & { downloads: Downloads }): void {
  const { videos, athletes, words } = parts;
  router.get('/videos', { who: 'anyone', scope: 'read', personal: true }, async (req, res) => {
    const states = await videos.list(req.reader?.id ?? null);
    const people = await athletes.byIds(athletesNamedIn(states));
    const items = states.map((state) => presentVideoItem(words, req.lang, state, people));
    res.json({ items } satisfies VideosAnswer);
  });
  router.get(
    '/videos/:slug',
    { who: 'anyone', scope: 'read', personal: true },
    async (req, res) => {
      const state = await videos.get(req.reader?.id ?? null, param(req, 'slug'));
      const people = await athletes.byIds(athletesNamedIn([state]));
      res.json(presentVideoItem(words, req.lang, state, people));
    },
  );
  // The right is checked again at every request, each range of a playing video included (ASVS
  // 8.2.2).
  router.get('/videos/:slug/media', { who: 'anyone', scope: 'read' }, async (req, res) => {
    const { media } = await videos.open(req.reader?.id ?? null, param(req, 'slug'));
    const to = req.reader ? { fan: req.reader.id } : addressOf(req);
    await send(req, res, parts, { file: media, cache: 'private, no-store', to });
  });
  router.get('/videos/:slug/poster', { who: 'anyone', scope: 'none' }, async (req, res) => {
    const file = await videos.posterOf(param(req, 'slug'));
    await send(req, res, parts, { file, cache: 'public, max-age=300', to: addressOf(req) });
  });
  router.get(
    '/videos/:slug/captions/:language',
    { who: 'anyone', scope: 'read' },
    async (req, res) => {
      const language = param(req, 'language').replace(/\.vtt$/, '');
      if (!isLanguage(language)) throw new VillageError('not_found');
      const video = await videos.open(req.reader?.id ?? null, param(req, 'slug'));
      res
        .set({ 'Content-Type': 'text/vtt; charset=utf-8', 'Cache-Control': 'private, no-store' })
        .send(video.captions[language]);
    },
  );
}

/** The list of videos, open and locked, and the page of each. */
export function videosPages(router: PageDoors, { videos, athletes, words }: VideoParts): void {
  router.get('/videos', { who: 'anyone', personal: true }, async (req) => {
    const states = await videos.list(req.reader?.id ?? null);
    const people = await athletes.byIds(athletesNamedIn(states));
    const views = states.map((state) => presentVideo(words, req.lang, state, people));
    await req.page(
      'videos/index',
      { title: words.t(req.lang, 'videos.title'), section: 'videos' },
      { open: views.filter(({ open }) => open), closed: views.filter(({ open }) => !open) },
    );
  });
  router.get('/videos/:slug', { who: 'anyone', personal: true }, async (req) => {
    const state = await videos.get(req.reader?.id ?? null, param(req, 'slug'));
    const people = await athletes.byIds(athletesNamedIn([state]));
    const video = presentVideo(words, req.lang, state, people);
    const transcript = state.open ? state.video.transcript[req.lang] : null;
    await req.page(
      'videos/show',
      { title: video.title, section: 'videos' },
      { video, transcript, signedIn: req.reader !== null },
    );
  });
}
