/**
 * Draws the demo's clips from our own pictograms: `npx tsx scripts/demo/clips/draw.ts` with
 * Chromium and ffmpeg (libx264) on PATH. Run by hand when a clip changes; the hub itself only reads
 * the files beside this one.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { root } from '../../root.js';

const FPS = 12;
const SECONDS = 8;
const CLIPS = [
  {
    slug: 'tenir-la-distance',
    d: 'fencing',
    ink: '#c12346',
    move: (t: number) => `translate(${Math.sin(t * Math.PI * 2) * 60} 0)`,
  },
  {
    slug: 'le-depart',
    d: 'rowing',
    ink: '#01707a',
    move: (t: number) => `translate(${t * 260 - 130} ${Math.sin(t * Math.PI * 8) * 6})`,
  },
  {
    slug: 'avant-la-finale',
    d: 'judo',
    ink: '#505ac0',
    move: (t: number) => `translate(0 ${Math.sin(t * Math.PI * 3) * 14})`,
  },
];
const drawings = ['patterns', 'disciplines'].map((name) =>
  readFileSync(join(root, 'views', 'partials', 'sprite', `${name}.hbs`), 'utf8'),
);
const sprite = `<svg class="sprite">${drawings.join('').replace(/\{\{!--.*?--\}\}/g, '')}</svg>`;

/** The page of a clip: a pattern behind the pictogram of its discipline. */
const pageOf = (clip: (typeof CLIPS)[number]): string => `
  <style>
    body { margin: 0; background: ${clip.ink}; color: #fff; overflow: hidden }
    .sprite { position: absolute; width: 0; height: 0 }
    symbol .g { stroke-width: 2 }
    symbol .h { fill: currentColor; stroke: none }
  </style>
  ${sprite}
  <svg width="640" height="360">
    <rect id="p" width="1280" height="720" fill="url(#p-${clip.d})" opacity=".14"/>
    <g id="m" fill="none" stroke="#fff" stroke-width="3.4"
      stroke-linecap="round" stroke-linejoin="round">
      <use href="#d-${clip.d}" x="200" y="60" width="240" height="240"/>
    </g>
  </svg>`;

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
const page = await browser.newPage({ viewport: { width: 640, height: 360 } });
for (const clip of CLIPS) {
  await page.setContent(pageOf(clip));
  const file = join(root, 'scripts', 'demo', 'clips', clip.slug);
  const ffmpeg = spawn(
    'ffmpeg',
    [
      '-y',
      '-loglevel',
      'error',
      '-f',
      'image2pipe',
      '-framerate',
      String(FPS),
      '-i',
      '-',
      '-c:v',
      'libx264',
      '-preset',
      'veryslow',
      '-crf',
      '30',
      '-pix_fmt',
      'yuv420p',
      '-movflags',
      '+faststart',
      `${file}.mp4`,
    ],
    { stdio: ['pipe', 'inherit', 'inherit'] },
  );
  for (let frame = 0; frame < FPS * SECONDS; frame += 1) {
    const t = frame / (FPS * SECONDS);
    await page.evaluate(
      `document.querySelector('#m').setAttribute('transform', '${clip.move(t)}');
      document.querySelector('#p').setAttribute('transform', 'translate(${-t * 240} 0)')`,
    );
    ffmpeg.stdin.write(await page.screenshot({ type: 'png' }));
  }
  ffmpeg.stdin.end();
  await once(ffmpeg, 'close');
  await page.screenshot({ path: `${file}.jpg`, type: 'jpeg', quality: 70 });
}
await browser.close();
