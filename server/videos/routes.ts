import type { Request, Response } from 'express';
import type { Athletes } from '../athletes/service.js';
import { VillageError } from '../errors.js';
import { athletesOf } from '../locks/service.js';
import type { ApiDoors, PageDoors } from '../platform/doors.js';
import type { Downloads, Recipient } from '../platform/downloads.js';
import { byteRange, param } from '../platform/http.js';
import { isLanguage, type Words } from '../platform/i18n.js';
import { addressKey } from '../platform/limits.js';
import { presentVideo, presentVideoItem } from './present.js';
import type { VideoRecord, Videos, VideoState } from './service.js';

const peopleOf = (athletes: Athletes, states: VideoState[]) =>
  athletes.byIds(states.flatMap(({ video }) => [video.athlete, ...athletesOf(video.lock)]));

const addressOf = (req: Request): Recipient => ({ address: addressKey(req.ip) });

/**
 * Sends a stored file: one range or the whole (RFC 9110, 14), fixed type, nothing sniffed, nothing
 * run (ASVS 3.2.1).
 */
async function send(
  req: Request,
  res: Response,
  videos: Videos,
  downloads: Downloads,
  file: VideoRecord['media'],
  cache: string,
  to: Recipient,
): Promise<void> {
  // Answered meanwhile, by a deadline: a place that was taken for it would never be given back.
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
export function videosApi(
  router: ApiDoors,
  videos: Videos,
  downloads: Downloads,
  athletes: Athletes,
  words: Words,
): void {
  router.get('/videos', { who: 'anyone', scope: 'read', personal: true }, async (req, res) => {
    const states = await videos.list(req.reader?.id ?? null);
    const people = await peopleOf(athletes, states);
    res.json({ items: states.map((one) => presentVideoItem(words, req.lang, one, people)) });
  });
  router.get(
    '/videos/:slug',
    { who: 'anyone', scope: 'read', personal: true },
    async (req, res) => {
      const state = await videos.get(req.reader?.id ?? null, param(req, 'slug'));
      res.json(presentVideoItem(words, req.lang, state, await peopleOf(athletes, [state])));
    },
  );
  // The right is checked again at every request, each range of a playing video included (ASVS
  // 8.2.2).
  router.get('/videos/:slug/media', { who: 'anyone', scope: 'read' }, async (req, res) => {
    const { media } = await videos.open(req.reader?.id ?? null, param(req, 'slug'));
    await send(
      req,
      res,
      videos,
      downloads,
      media,
      'private, no-store',
      req.reader ? { fan: req.reader.id } : addressOf(req),
    );
  });
  router.get('/videos/:slug/poster', { who: 'anyone', scope: 'none' }, async (req, res) => {
    await send(
      req,
      res,
      videos,
      downloads,
      await videos.posterOf(param(req, 'slug')),
      'public, max-age=300',
      addressOf(req),
    );
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

export function videosPages(
  router: PageDoors,
  videos: Videos,
  athletes: Athletes,
  words: Words,
): void {
  router.get('/videos', { who: 'anyone', personal: true }, async (req) => {
    const states = await videos.list(req.reader?.id ?? null);
    const people = await peopleOf(athletes, states);
    const views = states.map((one) => presentVideo(words, req.lang, one, people));
    await req.page(
      'videos/index',
      { title: words.t(req.lang, 'videos.title'), section: 'videos' },
      { open: views.filter((one) => one.open), closed: views.filter((one) => !one.open) },
    );
  });
  router.get('/videos/:slug', { who: 'anyone', personal: true }, async (req) => {
    const state = await videos.get(req.reader?.id ?? null, param(req, 'slug'));
    const people = await peopleOf(athletes, [state]);
    const video = presentVideo(words, req.lang, state, people);
    await req.page(
      'videos/show',
      { title: video.title, section: 'videos' },
      {
        video,
        transcript: state.open ? state.video.transcript[req.lang] : null,
        signedIn: req.reader !== null,
      },
    );
  });
}
