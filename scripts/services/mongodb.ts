import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.js';
import {
  freePort,
  givenService,
  listens,
  onPath,
  pause,
  startedService,
  startServer,
  type Service,
  type StartOptions,
} from './process.js';
import { havePythonStores, pythonStores } from './python.js';

type Kind = 'mongod' | 'mongod-fetched' | 'secantusdb';
const kept = join(root, '.services', 'mongod');
const SITE = 'fastdl.mongodb.org';

function keptMongod(): string | null {
  if (!existsSync(kept)) return null;
  const name = readdirSync(kept).find(
    (file) => file.startsWith('mongod') && !file.endsWith('.lock'),
  );
  return name ? join(kept, name) : null;
}

async function fetchMongod(say: (line: string) => void): Promise<string | null> {
  if (!(await listens(443, SITE, 3000))) return null;
  say('fetching mongod, about a minute once …');
  try {
    const { MongoBinary } = await import('mongodb-memory-server-core');
    mkdirSync(kept, { recursive: true });
    return await MongoBinary.getPath({ downloadDir: kept, version: '8.0.4' });
  } catch {
    return null;
  }
}

async function choose(
  dir: string,
  say: (line: string) => void,
): Promise<{ kind: Kind; program: string | null }> {
  // The files of one kind cannot be opened by another: data that is there decides first.
  const mark = join(dir, 'kind');
  const before = existsSync(mark) ? readFileSync(mark, 'utf8') : null;
  const path = onPath('mongod');
  if (before !== 'secantusdb') {
    if (path) return { kind: 'mongod', program: path };
    const old = keptMongod();
    if (old) return { kind: 'mongod-fetched', program: old };
    if (!havePythonStores()) {
      const fetched = await fetchMongod(say);
      if (fetched) return { kind: 'mongod-fetched', program: fetched };
    }
    if (before)
      throw new Error(
        `the data in ${dir} was written by mongod, and there is none now. ` +
          'Put mongod on PATH, or choose another DATA_DIR.',
      );
  }
  return { kind: 'secantusdb', program: null };
}

/** Where a MongoDB of ours has its files. */
export const filesOf = (dir: string): string => join(dir, 'files');

/**
 * Finds or starts MongoDB in the order of DESIGN 4, its files in `dir`. Throws an Error that says
 * what to install.
 */
export async function startMongodb(
  dir: string,
  say: (line: string) => void,
  options: StartOptions = {},
): Promise<Service> {
  const { given, signal } = options;
  if (given) return givenService(given);
  const files = filesOf(dir);
  mkdirSync(files, { recursive: true });
  const { kind, program } = await choose(dir, say);
  const port = options.port ?? (await freePort());
  const log = join(dir, 'server.log');
  let child;
  if (program) {
    child = await startServer({
      command: program,
      args: [
        '--port',
        String(port),
        '--bind_ip',
        '127.0.0.1',
        '--dbpath',
        files,
        '--replSet',
        'village',
      ],
      port,
      log,
      signal,
    });
    await initiate(port);
  } else {
    let stores;
    try {
      stores = await pythonStores(say, signal);
    } catch (error) {
      throw new Error(
        `no MongoDB: ${error instanceof Error ? error.message : String(error)}. ` +
          'Put mongod on PATH, set MONGODB_URI, ' +
          'or install Python 3.11 to 3.13 with a reachable PyPI.',
      );
    }
    const code = 'import sys; from secantus.cli import main; sys.exit(main())';
    child = await startServer({
      command: stores.python,
      env: stores.env,
      port,
      log,
      signal,
      patience: 60_000,
      args: [
        '-c',
        code,
        '--host',
        '127.0.0.1',
        '--port',
        String(port),
        '--storage-path',
        files,
        '--sync-on-commit',
        '--log-level',
        'WARNING',
      ],
    });
  }
  writeFileSync(join(dir, 'kind'), kind === 'secantusdb' ? kind : 'mongod');
  return startedService(`mongodb://127.0.0.1:${port}/?directConnection=true`, kind, child);
}

/** Makes a mongod of ours a replica set of one: transactions and majority reads need a set. */
async function initiate(port: number): Promise<void> {
  const { default: mongoose } = await import('mongoose');
  const connection = await mongoose
    .createConnection(`mongodb://127.0.0.1:${port}/?directConnection=true`)
    .asPromise();
  const admin = connection.getClient().db('admin');
  try {
    await admin.command({
      replSetInitiate: { _id: 'village', members: [{ _id: 0, host: `127.0.0.1:${port}` }] },
    });
  } catch {
    // A set that was initiated before keeps its old port: give it the new one.
    const { config } = (await admin
      .command({ replSetGetConfig: 1 })
      .catch(() => ({ config: null }))) as {
      config: { version: number; members: { host: string }[] } | null;
    };
    if (config?.members[0] && config.members[0].host !== `127.0.0.1:${port}`) {
      config.members[0].host = `127.0.0.1:${port}`;
      config.version += 1;
      await admin.command({ replSetReconfig: config, force: true });
    }
  }
  for (let tries = 0; tries < 400; tries += 1) {
    const hello = (await admin.command({ hello: 1 })) as { isWritablePrimary?: boolean };
    if (hello.isWritablePrimary) break;
    await pause(25);
  }
  await connection.close();
}
