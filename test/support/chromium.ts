import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { lockAlone, lockName } from '../../scripts/lock.mjs';
import { runProgram } from '../../scripts/program.js';
import { root } from '../../scripts/root.js';

/**
 * No sandbox, because CI runs as root; the rest keeps it from calling home where nothing answers.
 * Nothing that weakens what pages may do.
 */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Which browser the tests run in, and with what around it. */
export interface TestBrowser {
  kind: 'carried' | 'set';
  program: string;
  args: string[];
  env: NodeJS.ProcessEnv;
}

/**
 * The browser that the npm package @sparticuz/chromium carries, unpacked once into `.services`;
 * another one only when VILLAGE_BROWSER names its program. The package's own arguments are not
 * used: they put every page into one process, which ends with the first context, and switch
 * cross-origin rules off.
 */
export async function testBrowser(env: NodeJS.ProcessEnv = process.env): Promise<TestBrowser> {
  const set = env['VILLAGE_BROWSER'];
  if (set) {
    if (!existsSync(set))
      throw new Error(`VILLAGE_BROWSER names ${set}, and there is no such program.`);
    return { kind: 'set', program: set, args: QUIET, env: {} };
  }
  const folder = await unpacked();
  const program = join(folder, 'chromium');
  // Its libraries come along for machines that have none, and would stand before newer ones of the
  // machine's own.
  const { code, out } = await runProgram('ldd', [program]);
  const isLinked = code === 0 && !out.includes('not found');
  const libraries = isLinked ? {} : { LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') };
  return {
    kind: 'carried',
    program,
    args: QUIET,
    env: { ...libraries, FONTCONFIG_FILE: join(folder, 'fonts.conf') },
  };
}

/**
 * Unpacks aside and swaps in, one process at a time, so that a run that was cut never leaves half a
 * browser.
 */
async function unpacked(): Promise<string> {
  const { version } = JSON.parse(
    readFileSync(join(root, 'node_modules', '@sparticuz', 'chromium', 'package.json'), 'utf8'),
  ) as { version: string };
  const services = join(root, '.services');
  const folder = join(services, `browser-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(services, { recursive: true });
  const lock = await lockAlone(lockName('browser', services), () => undefined);
  try {
    if (existsSync(folder)) return folder;
    const aside = join(services, 'browser.new');
    rmSync(aside, { recursive: true, force: true });
    mkdirSync(aside);
    // The package unpacks into the temporary folder, and its libraries only where it believes to be
    // on the machines it was made for.
    const env = {
      ...process.env,
      TMPDIR: aside,
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x',
      NODE_OPTIONS: '',
      NODE_V8_COVERAGE: '',
    };
    const script = "await (await import('@sparticuz/chromium')).default.executablePath()";
    const { code } = await runProgram(process.execPath, ['--input-type=module', '-e', script], {
      cwd: root,
      env,
      stdout: 'ignore',
      stderr: 'inherit',
    });
    if (code !== 0) throw new Error('the carried browser could not be unpacked (see above).');
    writeFileSync(
      join(aside, 'fonts.conf'),
      `<fontconfig><dir>${join(folder, 'fonts')}</dir>` +
        `<cachedir>${join(folder, 'fonts-cache')}</cachedir></fontconfig>\n`,
    );
    renameSync(aside, folder);
    return folder;
  } finally {
    await lock.release();
  }
}

/** Starts it; it ends with this process, because it hangs on a pipe of it. */
export async function launch(): Promise<Browser> {
  const { program, args, env } = await testBrowser();
  return chromium.launch({ executablePath: program, args, env: { ...process.env, ...env } });
}
