import { expect } from 'chai';
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../scripts/root.js';
import { VIDEOS } from '../../scripts/demo/content.js';
import { freePort } from '../../scripts/services/process.js';
import { startHub, type HubProcess } from '../support/processes.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

const MIB = 1_048_576;
const READERS = 150;
/** As many readers as a fan may have at once (`platform/downloads.ts`). */
const EACH = 6;

/**
 * Who asks for a large video again and again and reads nothing holds nobody up (RELIABILITY F14).
 */
describe('readers who take nothing of a video', function () {
  this.timeout(120_000);
  let dir: string;
  let world: World;
  let web: HubProcess;
  let port: number;
  let token: string;
  const open: Socket[] = [];

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'village-media-'));
    world = await startWorld({ card: 'hub' });
    await world.athletes();
    await world.verify('athlete1', 'x');
    const { fan } = await world.fan('organiser1', { role: 'organiser' });
    const clip = (name: string): string => join(root, 'scripts', 'demo', 'clips', name);
    const media = join(dir, 'large.mp4');
    writeFileSync(
      media,
      Buffer.concat([readFileSync(clip('le-depart.mp4')), Buffer.alloc(64 * MIB)]),
    );
    const video = {
      ...(VIDEOS[0] as (typeof VIDEOS)[number]),
      slug: 'large',
      lock: [{ kind: 'follow' as const, athletes: ['athlete1'], need: 1, network: null }],
    };
    await world.context.videos.publish({ id: fan._id, roles: fan.roles }, video, {
      media,
      poster: clip('le-depart.jpg'),
    });
    ({ token } = await world.fan('ann'));
    await world.api('/athletes/athlete1/follow', { method: 'POST', token, body: { network: 'x' } });
    port = await freePort();
    web = await startHub('web', {
      ...world.env,
      NODE_ENV: 'development',
      PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
    });
  });
  after(async () => {
    for (const socket of open) socket.destroy();
    await web.stop();
    await world.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const memory = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${web.child.pid ?? 0}/status`, 'utf8'))?.[1]) *
    1024;
  const figure = async (name: string): Promise<number> => {
    const text = await (
      await fetch(`http://127.0.0.1:${port}/metrics`, {
        headers: { authorization: `Bearer ${world.env['METRICS_TOKEN'] ?? ''}` },
      })
    ).text();
    return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]);
  };
  /**
   * Asks for the video and stops reading at the first byte of the answer; `closed` when the hub
   * ends it.
   */
  const ask = async (): Promise<{ closed: boolean }> => {
    const reader = { closed: false };
    const socket = connect(port, '127.0.0.1');
    open.push(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      reader.closed = true;
    });
    socket.write(
      'GET /api/v1/videos/large/media HTTP/1.1\r\nHost: ' +
        `127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    );
    await new Promise<void>((resolve) => {
      socket.once('data', () => {
        socket.pause();
        resolve();
      });
    });
    return reader;
  };

  it(
    'cost the process a few chunks, whatever their number, and the video still ' +
      'plays for who watches',
    async () => {
      const before = memory();
      for (let n = 0; n < READERS; n += 1) await ask();
      await until(async () => (await figure('village_downloads')) <= EACH);
      expect(memory() - before, 'bytes of the process').to.be.lessThan(150 * MIB);
      const whole = await fetch(`http://127.0.0.1:${port}/api/v1/videos/large/media`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect((await whole.arrayBuffer()).byteLength).to.be.greaterThan(64 * MIB);
      expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).to.equal(200);
    },
  );
});
