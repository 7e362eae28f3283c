import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';
import { bundle } from 'lightningcss';
import { root } from './root.js';

const out = join(root, 'build', 'assets');
const FONTS = join(root, 'node_modules', '@fontsource', 'barlow-condensed', 'files');

function keep(name: string, extension: string, content: Buffer): string {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 10);
  const file = `${name}-${hash}.${extension}`;
  writeFileSync(join(out, file), content);
  return `/assets/${file}`;
}

/** What is text, and so worth compressing; fonts and pictures are compressed by themselves. */
const TEXT = /\.(css|js|svg|txt|webmanifest)$/;

/**
 * Lays each text beside itself as brotli and gzip, as small as they get: it is read for a year and
 * written once.
 */
function compress(): void {
  for (const name of readdirSync(out).filter((file) => TEXT.test(file))) {
    const content = readFileSync(join(out, name));
    const size = {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    };
    writeFileSync(join(out, `${name}.br`), brotliCompressSync(content, { params: size }));
    writeFileSync(join(out, `${name}.gz`), gzipSync(content, { level: 9 }));
  }
}

/**
 * Builds what browsers fetch: one stylesheet, one module a room, two font files, each named after
 * its content so that it may be cached for ever, and texts beside it compressed. Writes
 * `manifest.json` ({logical name: path}) beside them.
 */
export async function buildAssets(): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const manifest: Record<string, string> = {};
  for (const subset of ['latin', 'latin-ext']) {
    const font = readFileSync(join(FONTS, `barlow-condensed-${subset}-700-normal.woff2`));
    manifest[`${subset}.woff2`] = keep(`display-${subset}`, 'woff2', font);
  }
  const css = bundle({
    filename: join(root, 'public', 'css', 'main.css'),
    minify: true,
    targets: { chrome: 123 << 16, firefox: 120 << 16, safari: (17 << 16) | (5 << 8) },
  });
  const styled = css.code
    .toString()
    .replace(
      /url\("?(latin(?:-ext)?\.woff2)"?\)/g,
      (_all, font: string) => `url(${manifest[font] ?? font})`,
    );
  manifest['main.css'] = keep('main', 'css', Buffer.from(styled));

  const rooms = readdirSync(join(root, 'public'), { withFileTypes: true })
    .filter(
      (entry) => entry.isDirectory() && existsSync(join(root, 'public', entry.name, 'main.ts')),
    )
    .map((entry) => entry.name);
  const built = await esbuild.build({
    entryPoints: Object.fromEntries(
      rooms.map((room) => [room, join(root, 'public', room, 'main.ts')]),
    ),
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    metafile: true,
    entryNames: '[name]-[hash]',
    chunkNames: 'part-[hash]',
    outdir: out,
    write: true,
    logLevel: 'warning',
    absWorkingDir: root,
  });
  for (const [file, facts] of Object.entries(built.metafile.outputs)) {
    // What is imported later on has an entry of its own too, in the same folder, and must not take
    // the room's place.
    if (!facts.entryPoint?.endsWith('/main.ts')) continue;
    const room = facts.entryPoint.split('/')[1] ?? '';
    manifest[`${room}.js`] = `/assets/${file.split('/').pop() ?? ''}`;
  }
  const icons = join(root, 'public', 'icons');
  if (existsSync(icons)) {
    for (const name of readdirSync(icons)) {
      const dot = name.lastIndexOf('.');
      manifest[name] = keep(
        name.slice(0, dot),
        name.slice(dot + 1),
        readFileSync(join(icons, name)),
      );
    }
  }
  cpSync(
    join(root, 'node_modules', '@fontsource', 'barlow-condensed', 'LICENSE'),
    join(out, 'display-font-licence.txt'),
  );
  compress();
  writeFileSync(join(out, 'manifest.json'), JSON.stringify(manifest, null, 1));
}
