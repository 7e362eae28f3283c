/**
 * `npm test`: starts the stores of the tests, runs mocha over them, and prints the plain closing
 * line.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProgram, type Program } from './program.js';
import { root } from './root.js';
import type { Service } from './services/process.js';
import { startStores } from './services/stores.js';

const say = (line: string): void => {
  process.stdout.write(`village: ${line}\n`);
};
const dir = mkdtempSync(join(tmpdir(), 'village-test-'));
const services: Service[] = [];
let code = 1;
let tests: Program | null = null;
const stopped = new AbortController();
const stop = async (): Promise<void> => {
  stopped.abort();
  await tests?.stop();
  await Promise.all(services.map((service) => service.stop()));
  rmSync(dir, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    void stop().finally(() => process.exit(1));
  });

try {
  const { mongodb, redis } = await startStores(dir, say, stopped.signal);
  services.push(mongodb, redis);
  const carried = JSON.parse(
    readFileSync(join(root, 'node_modules', '@sparticuz', 'chromium', 'package.json'), 'utf8'),
  ) as { version: string };
  // The browser as test/support/chromium.ts takes it.
  const browser = process.env['VILLAGE_BROWSER'] || `carried ${carried.version}`;
  say(`tests on MongoDB: ${mongodb.kind}, Redis: ${redis.kind}, browser: ${browser}`);
  const args = process.argv.slice(2);
  // Not by its bin, which would start mocha as a process of its own that nothing ties to us.
  const mocha = join(root, 'node_modules', 'mocha', 'lib', 'cli', 'cli.js');
  const options = (
    JSON.parse(readFileSync(join(root, '.mocharc.json'), 'utf8')) as { 'node-option': string[] }
  )['node-option'].map((option) => `--${option}`);
  const report = join(dir, 'report.json');
  const coverage = args.includes('--coverage');
  const rest = args.filter((arg) => arg !== '--coverage');
  const covered = [
    join(root, 'node_modules', 'c8', 'bin', 'c8.js'),
    ...['--include', 'server/**', '--reporter', 'text-summary', '--reporter', 'text'],
    ...['--lines', '90', '--check-coverage', process.execPath],
  ];
  tests = startProgram(
    process.execPath,
    [
      ...(coverage ? covered : []),
      ...options,
      mocha,
      ...['--reporter', join(root, 'test', 'support', 'reporter.cjs')],
      ...['--reporter-option', `output=${report}`],
      ...rest,
      ...(rest.some((arg) => arg.endsWith('.ts')) ? [] : ['test/**/*.test.ts']),
    ],
    {
      cwd: root,
      stdin: 'inherit',
      stdout: 'inherit',
      stderr: 'inherit',
      patienceMs: 10_000,
      env: { ...process.env, MONGODB_URI: mongodb.url, REDIS_URL: redis.url, NODE_ENV: 'test' },
    },
  );
  code = (await tests.ended).code ?? 1;
  tests = null;
  const counts = JSON.parse(readFileSync(report, 'utf8')) as {
    passes: number;
    failures: number;
    pending: number;
  };
  if (counts.passes === 0) {
    say('no test ran.');
    code = 1;
  }
  // A browser test that was skipped has shown nothing.
  if (counts.pending > 0) {
    say(`${counts.pending} tests were skipped.`);
    code = 1;
  }
  await stop();
  process.stdout.write(`${counts.passes} passed, ${counts.failures} failed\n`);
} catch (error) {
  if (!stopped.signal.aborted)
    process.stderr.write(`village: ${error instanceof Error ? error.message : String(error)}\n`);
  await stop();
}
process.exit(code);
