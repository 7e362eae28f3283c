/**
 * `npm run hub -- <command>`: for people who run a hub. Speaks to the running one, or to the stores
 * of the settings.
 */
import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { ConfigError, readConfig } from '../server/config.js';
import { createContext, type Context } from '../server/context.js';
import { VillageError } from '../server/errors.js';
import type { NetworkId } from '../server/networks/network.js';
import { seedDemo } from './demo/seed.js';
import { demoFan } from './demo/sign-in.js';
import { dataDir, demoEnv, portsOf, runFileOf, secretsOf } from './env.js';
import { takeFolder } from './folder.js';
import { pause, type Service } from './services/process.js';
import { endLeftOver, startStores } from './services/stores.js';
import { type Role, ROLES } from '../server/platform/rights.js';

class Usage extends Error {}
const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const note = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

interface Command {
  usage: string;
  about: string;
  run: (context: Context, args: string[]) => Promise<number>;
}
const COMMANDS: Record<string, Command> = {
  'import athletes': {
    usage: 'import athletes FILE',
    about:
      'Imports a directory file (CSV or CSV.gz, the format of scripts/data/README.md). May be repeated: the same file changes nothing.',
    run: (context, args) => importAthletes(context, args),
  },
  role: {
    usage: `role FAN ROLE [--take]`,
    about: `Gives a role (${ROLES.join(', ')}), or takes it. FAN: a hub id, network:handle, "name:what they are called here", or a plain handle of the demo.`,
    run: role,
  },
  token: {
    usage: 'token FAN',
    about:
      'Makes a personal API token and prints it, and nothing else. A demo person who is no fan yet becomes one.',
    run: token,
  },
  'ledger verify': {
    usage: 'ledger verify',
    about:
      'Checks every entry: sequence, turns, sums, hashes, standings. Names the first bad one and exits 1.',
    run: ledgerVerify,
  },
  'boards rebuild': {
    usage: 'boards rebuild',
    about: 'Builds every board anew from the scores.',
    run: boardsRebuild,
  },
  'hide athlete': {
    usage: 'hide athlete SLUG [--show]',
    about:
      'Takes somebody who objects out of the directory, for ever, whatever is imported later; --show brings them back.',
    run: hideAthlete,
  },
  'seed demo': {
    usage: 'seed demo',
    about:
      'Fills an empty hub with the demo, once. Needs the sandbox networks of a running npm start.',
    run: async (context) => {
      print(
        (await seedDemo(context, note)) ? 'The demo is there now.' : 'The demo was there already.',
      );
      return 0;
    },
  },
};

/**
 * How often an import that was started by `npm start` waits for the lease of one that was killed.
 */
const PATIENCE = 20;

async function importAthletes(context: Context, [file]: string[], waited = 0): Promise<number> {
  if (!file) throw new Usage('import athletes FILE');
  if (!existsSync(file)) {
    note(`There is no file ${file}.`);
    return 1;
  }
  const begun = Date.now();
  const raw = createReadStream(file);
  const source = file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  raw.on('error', (error) => source.destroy(error));
  const total = file.endsWith('olympians.csv.gz') ? 157_375 : 0;
  let shown = 0;
  const result = await context.athletes.importFile(source, total, (now) => {
    if (Date.now() - shown < 500) return;
    shown = Date.now();
    const width = 30;
    const share = total > 0 ? Math.min(1, now.rows / total) : 0;
    const rate = Math.round(now.rows / Math.max(0.001, (Date.now() - begun) / 1000));
    process.stderr.write(
      `\r[${'#'.repeat(Math.round(share * width)).padEnd(width, '.')}] ${now.rows} rows, ${rate} a second `,
    );
  });
  if (!result && process.env['VILLAGE_IMPORT_MARK'] && waited < PATIENCE) {
    await pause(5000);
    return importAthletes(context, [file], waited + 1);
  }
  if (!result) {
    note('Another import runs. Wait for it, then try again.');
    return 1;
  }
  process.stderr.write('\n');
  for (const bad of result.bad) note(`line ${bad.line}: ${bad.reason}`);
  const seconds = (Date.now() - begun) / 1000;
  print(
    `${result.rows} rows in ${seconds.toFixed(1)} s (${Math.round(result.rows / seconds)} a second): ${result.added} added, ${result.changed} changed, ${result.same} the same, ${result.badCount} bad.`,
  );
  if (process.env['VILLAGE_IMPORT_MARK'])
    await context.settings.set('athletes.file', process.env['VILLAGE_IMPORT_MARK']);
  return 0;
}

async function role(context: Context, args: string[]): Promise<number> {
  const take = args.includes('--take');
  const [who, name] = args.filter((arg) => !arg.startsWith('--'));
  if (!who || !name) throw new Usage('role FAN ROLE [--take]');
  if (!(ROLES as readonly string[]).includes(name)) {
    note(`There is no role ${name}. Roles: ${ROLES.join(', ')}.`);
    return 1;
  }
  const fan = await context.fans.resolve(who);
  if (!fan) {
    note(`Nobody here is ${who}. FAN is a hub id or network:handle (x:name).`);
    return 1;
  }
  const changed = await context.fans.setRole(fan._id, name as Role, !take, 'operator');
  print(`${changed.handle} (${changed._id}): ${changed.roles.join(', ') || 'fan'}`);
  return 0;
}

async function token(context: Context, [who]: string[]): Promise<number> {
  if (!who) throw new Usage('token FAN');
  let fan = await context.fans.resolve(who);
  if (!fan && (await context.settings.get('demo'))) {
    const [network, handle] = who.includes(':') ? who.split(':', 2) : [null, who];
    fan = await demoFan(
      context,
      handle ?? '',
      network ? [network as NetworkId] : ['x', 'facebook'],
    ).catch(() => null);
  }
  if (!fan) {
    note(
      `Nobody here is ${who}. FAN is a hub id or network:handle (x:name); the demo's people also go by their plain handle.`,
    );
    return 1;
  }
  print(await context.tokens.create(fan._id, 'command line'));
  return 0;
}

async function ledgerVerify(context: Context): Promise<number> {
  const found = await context.points.verify();
  if (found.bad) {
    note(`Bad entry: fan ${found.bad.fan}, seq ${found.bad.seq}: ${found.bad.reason}`);
    return 1;
  }
  print(
    `The ledger is right: ${found.entries} entries of ${found.fans} fans, ${found.points} points.`,
  );
  return 0;
}

async function hideAthlete(context: Context, args: string[]): Promise<number> {
  const slug = args.find((arg) => !arg.startsWith('--'));
  if (!slug) throw new Usage('hide athlete SLUG [--show]');
  const hidden = !args.includes('--show');
  const athlete = await context.athletes.hide(slug, hidden).catch((error: unknown) => {
    if (error instanceof VillageError) return null;
    throw error;
  });
  if (!athlete) {
    note(`Nobody in the directory is ${slug}. SLUG is the last part of the address of their page.`);
    return 1;
  }
  await context.audit.add({
    by: 'operator',
    act: hidden ? 'athlete.hidden' : 'athlete.shown',
    on: `athlete:${athlete._id}`,
  });
  print(`${athlete.name} is ${hidden ? 'hidden' : 'shown again'}.`);
  return 0;
}

async function boardsRebuild(context: Context): Promise<number> {
  const done = await context.points.rebuild();
  print(done ? 'The boards are rebuilt.' : 'A rebuild is under way already.');
  return done ? 0 : 1;
}

/**
 * The settings of the hub that runs on DATA_DIR; of its stores, started for this command, when none
 * does; or of the environment.
 */
async function settings(
  command: string,
  services: Service[],
  signal: AbortSignal,
): Promise<NodeJS.ProcessEnv> {
  if (process.env['SESSION_SECRET'] && process.env['MONGODB_URI']) return process.env;
  const { port, sandboxPort } = portsOf(process.env);
  const dir = dataDir();
  mkdirSync(dir, { recursive: true });
  let waited = '';
  // The lock goes with this process: what it started has ended by then.
  const lock = await takeFolder(
    dir,
    { pid: process.pid, what: `npm run hub -- ${command}`, stays: false, state: 'open' },
    (holder) => {
      if (holder.stays && holder.state === 'open') return 'leave';
      const why = holder.stays
        ? `A hub is ${holder.state} here`
        : `"${holder.what}" (process ${holder.pid}) is at work here`;
      if (why !== waited) note(`${why}; waiting for it …`);
      waited = why;
      return 'wait';
    },
  );
  if (!lock) {
    const { web, mongodb, redis, sandbox } = runFileOf(dir);
    return {
      ...process.env,
      ...demoSettings(
        dir,
        port,
        sandbox ? Number(new URL(sandbox.url).port) : sandboxPort,
        web.url,
        mongodb.uri,
        redis.url,
      ),
    };
  }
  await endLeftOver(dir);
  // A file that cannot be read is told before stores are started for nothing.
  secretsOf(dir);
  const { mongodb, redis } = await startStores(dir, note, signal);
  services.push(mongodb, redis);
  return {
    ...process.env,
    ...demoSettings(
      dir,
      port,
      sandboxPort,
      process.env['PUBLIC_URL'] || `http://127.0.0.1:${port}`,
      mongodb.url,
      redis.url,
    ),
  };
}

function demoSettings(
  dir: string,
  port: number,
  sandboxPort: number,
  publicUrl: string,
  mongodb: string,
  redis: string,
): NodeJS.ProcessEnv {
  const at = (offset: number): string => `http://127.0.0.1:${sandboxPort + offset}`;
  return demoEnv({
    dir,
    secrets: secretsOf(dir),
    port,
    publicUrl,
    mongodb,
    redis,
    networks: { x: at(1), facebook: at(2), facebookGraph: at(3) },
  });
}

function help(): void {
  print('npm run hub -- <command>   (npm run -s hub -- … prints nothing of npm\u2019s own)\n');
  for (const one of Object.values(COMMANDS)) print(`  ${one.usage}\n      ${one.about}`);
}

const args = process.argv.slice(2);
const name = [args.slice(0, 2).join(' '), args[0] ?? ''].find((each) => each in COMMANDS);
if (!name) {
  help();
  process.exit(args.length === 0 || args.includes('--help') ? 0 : 2);
}
const command = COMMANDS[name] as Command;
if (args.includes('--help')) {
  print(`${command.usage}\n${command.about}`);
  process.exit(0);
}

let code = 1;
const services: Service[] = [];
const stopped = new AbortController();
const stop = async (): Promise<void> => {
  stopped.abort();
  await Promise.all(services.map((one) => one.stop()));
};
process.once('disconnect', () => process.exit(1));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    void stop().finally(() => process.exit(1));
  });
try {
  const env = await settings(name, services, stopped.signal);
  const context = await createContext(readConfig({ ...env, LOG_LEVEL: 'error' }), 'hub', {
    search: false,
  });
  if (services.length > 0 || !process.env['VILLAGE_IMPORT_MARK']) await context.release();
  code = await command.run(context, args.slice(name.split(' ').length));
  await context.points.settled();
  await context.close();
} catch (error) {
  if (error instanceof Usage) note(`usage: npm run hub -- ${error.message}`);
  else
    for (const line of error instanceof ConfigError
      ? error.problems
      : [error instanceof Error ? error.message : String(error)])
      note(`village hub: ${line}`);
}
await stop();
process.exit(code);
