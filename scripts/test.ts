/** `npm test`: starts the stores of the tests, runs mocha over them, and prints the plain closing line. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './root.js';
import type { Service } from './services/process.js';
import { startStores } from './services/stores.js';

const say = (line: string): void => {
  process.stdout.write(`village: ${line}\n`);
};
const dir = mkdtempSync(join(tmpdir(), 'village-test-'));
const services: Service[] = [];
let code = 1;
const stop = async (): Promise<void> => {
  await Promise.all(services.map((one) => one.stop()));
  rmSync(dir, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    void stop().finally(() => process.exit(1));
  });

try {
  const { mongodb, redis } = await startStores(dir, say);
  services.push(mongodb, redis);
  say(`tests on MongoDB: ${mongodb.kind}, Redis: ${redis.kind}`);
  const args = process.argv.slice(2);
  const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const report = join(dir, 'report.json');
  const coverage = args.includes('--coverage');
  const rest = args.filter((arg) => arg !== '--coverage');
  const command = coverage
    ? [
        join(root, 'node_modules', 'c8', 'bin', 'c8.js'),
        '--include',
        'server/**',
        '--reporter',
        'text-summary',
        '--reporter',
        'text',
        '--lines',
        '90',
        '--check-coverage',
        process.execPath,
        mocha,
      ]
    : [mocha];
  code = await new Promise<number>((resolve) => {
    const child = spawn(
      process.execPath,
      [
        ...command,
        '--reporter',
        join(root, 'test', 'support', 'reporter.cjs'),
        '--reporter-option',
        `output=${report}`,
        ...(rest.some((arg) => arg.endsWith('.ts')) ? rest : [...rest, 'test/**/*.test.ts']),
      ],
      {
        cwd: root,
        stdio: 'inherit',
        env: { ...process.env, MONGODB_URI: mongodb.url, REDIS_URL: redis.url, NODE_ENV: 'test' },
      },
    );
    child.once('exit', (exit) => {
      resolve(exit ?? 1);
    });
  });
  const counts = JSON.parse(readFileSync(report, 'utf8')) as { passes: number; failures: number; pending: number };
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
  process.stderr.write(`village: ${error instanceof Error ? error.message : String(error)}\n`);
  await stop();
}
process.exit(code);
