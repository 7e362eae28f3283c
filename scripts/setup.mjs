/**
 * What must be there before anything of ours can run: a fit Node, a writable folder, the packages,
 * the build.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lockAlone, lockName } from './lock.mjs';
import { spawnTied } from './tie.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const say = (line) => process.stderr.write(`village: ${line}\n`);

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Error(
      `Node ${process.versions.node} is too old. Install Node 20.19 or newer, then run this again.`,
    );
  }
}

function checkFolder() {
  try {
    accessSync(root, constants.W_OK);
    mkdirSync(join(root, 'build'), { recursive: true });
    accessSync(join(root, 'build'), constants.W_OK);
  } catch {
    throw new Error(
      `cannot write in ${root}. Make the folder writable, or clone into one that is,` +
        ' then run this again.',
    );
  }
}

/** What both the set-up and the built programs use. */
const SHARED = ['lock.mjs', 'tie.mjs'];
const digest = (text) => createHash('sha256').update(text).digest('hex');

/** Installs the locked packages when they are missing or the lockfile has changed since. */
async function installPackages() {
  const stamp = join(root, 'node_modules', '.village-lock');
  const wanted = digest(readFileSync(join(root, 'package-lock.json'))) + process.versions.modules;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say('installing packages (npm ci), about half a minute the first time …');
  const ran = spawnTied(
    'npm',
    ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, NODE_ENV: 'development' },
    },
  );
  const [status] = await once(ran, 'exit').catch(() => [1]);
  if (status !== 0) {
    throw new Error(
      'npm ci failed (see above). If there is no network, make a package registry reachable,' +
        ' then run this again.',
    );
  }
  writeFileSync(stamp, wanted);
}

function filesBelow(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/**
 * Turns TypeScript into JavaScript under build/, copies the scripts of Redis beside it, and turns
 * CSS and client modules into hashed assets.
 */
async function build() {
  const sources = [...filesBelow('server'), ...filesBelow('scripts')].filter(
    (file) => file.endsWith('.ts') || file.endsWith('.lua'),
  );
  const inputs = [
    ...sources,
    ...filesBelow('public'),
    ...SHARED.map((file) => join(root, 'scripts', file)),
    join(root, 'package-lock.json'),
  ].sort();
  const stamp = join(root, 'build', '.stamp');
  const hash = createHash('sha256');
  for (const file of inputs) hash.update(file.slice(root.length)).update(readFileSync(file));
  const wanted = hash.digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const esbuild = await import('esbuild');
  // Built aside and swapped in, so that a hub that runs here never meets half a build.
  const aside = join(root, 'build', `.new-${process.pid}`);
  await esbuild.build({
    entryPoints: sources,
    outdir: aside,
    outbase: root,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    loader: { '.lua': 'copy' },
    sourcemap: 'linked',
    logLevel: 'warning',
  });
  for (const file of SHARED)
    copyFileSync(join(root, 'scripts', file), join(aside, 'scripts', file));
  for (const part of ['server', 'scripts']) {
    rmSync(join(root, 'build', part), { recursive: true, force: true });
    renameSync(join(aside, part), join(root, 'build', part));
  }
  rmSync(aside, { recursive: true, force: true });
  const { buildAssets } = await import(join(root, 'build', 'scripts', 'assets.js'));
  await buildAssets();
  // Its helper process would stay as long as the hub.
  await esbuild.stop();
  writeFileSync(stamp, wanted);
}

/** Makes the folder ready to run. Throws an Error whose message says what to do. */
export async function getReady() {
  checkNode();
  checkFolder();
  // Two would write into each other's packages and build.
  const lock = await lockAlone(lockName('setup', root), () =>
    say('another process sets this folder up; waiting for it …'),
  );
  try {
    await installPackages();
    await build();
  } finally {
    await lock.release();
  }
}
