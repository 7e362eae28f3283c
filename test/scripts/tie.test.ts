import { expect } from 'chai';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../../scripts/root.js';
import { onPath, runs } from '../../scripts/services/process.js';
import { until } from '../support/until.js';

/** Whatever ends a starter, its programs end with it (scripts/tie.mjs). */
describe('a program that is tied to its starter', function () {
  this.timeout(20_000);
  const dir = mkdtempSync(join(tmpdir(), 'village-tie-'));
  after(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  /**
   * A starter that finds only these programs on its PATH, ties a program that would run for an hour
   * to itself, and tells its id.
   */
  const starter = async (
    name: string,
    programs: Record<string, string>,
  ): Promise<{ child: ReturnType<typeof spawn>; tied: number }> => {
    const PATH = mkdtempSync(join(dir, name));
    for (const [program, file] of Object.entries(programs)) symlinkSync(file, join(PATH, program));
    const code = `import { spawnTied } from ${JSON.stringify(join(root, 'scripts', 'tie.mjs'))};
      const child = spawnTied('sleep', ['3600'], { stdio: 'ignore', detached: true });
      console.log(child.pid); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH },
    });
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    await until(
      () =>
        runs(Number(line), '3600') && !runs(Number(line), 'PPID') && !runs(Number(line), 'ctypes'),
    );
    return { child, tied: Number(line) };
  };
  const sleep = { sleep: onPath('sleep') ?? '', true: onPath('true') ?? '' };
  const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  }).trim();
  const WAYS = {
    setpriv: { setpriv: onPath('setpriv') ?? '' },
    'Python alone, where setpriv is missing or too old': { python3: python },
  };

  for (const [way, programs] of Object.entries(WAYS))
    it(
      'keeps its id and its arguments, and is gone after kill -9 of the starter, by ' + way,
      async () => {
        const { child, tied } = await starter(way.slice(0, 6), { ...sleep, ...programs });
        child.kill('SIGKILL');
        await until(() => !runs(tied, '3600'));
      },
    );

  it('runs untied where the machine knows no way, rather than not at all', async () => {
    const { child, tied } = await starter('none', sleep);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(runs(tied, '3600')).to.equal(true);
    process.kill(tied, 'SIGKILL');
  });
});
