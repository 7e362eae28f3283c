/**
 * `node scripts/run.mjs NAME …args`: gets the folder ready (packages, build), then runs
 * scripts/NAME.ts. Plain JavaScript without imports from packages, because on a fresh machine there
 * are none yet.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { getReady, root } from './setup.mjs';

/**
 * What /proc tells of a process: how it was called, its parent, and when it began, by which a
 * used-again id is known; null when it is gone.
 */
function look(pid) {
  try {
    const [, state, parent, ...rest] = /^\d+ \(.*\) (\S) (\d+) (.*)$/s.exec(
      readFileSync(`/proc/${pid}/stat`, 'utf8'),
    );
    return state === 'Z'
      ? null
      : {
          call: readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
          parent: Number(parent),
          born: rest[0].split(' ')[17],
        };
  } catch {
    return null;
  }
}

/**
 * npm passes signals on to us (its scripts say `exec`, because the shell between would keep them),
 * but one that is killed outright cannot: then we end as at Ctrl-C, and with us all that we
 * started.
 */
function endWithNpm() {
  if (!process.env.npm_lifecycle_event) return;
  let pid = process.ppid;
  // Some shells stand between all the same.
  if (!look(pid)?.call.startsWith('npm')) pid = look(pid)?.parent ?? 0;
  const npm = look(pid);
  if (!npm?.call.startsWith('npm')) return;
  const timer = setInterval(() => {
    if (look(pid)?.born === npm.born) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 500);
  timer.unref();
}

const name = process.argv[2] ?? 'start';
endWithNpm();
try {
  await getReady();
} catch (error) {
  process.stderr.write(`village: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
process.argv.splice(2, 1);
await import(pathToFileURL(join(root, 'build', 'scripts', `${name}.js`)).href);
