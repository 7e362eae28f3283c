import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import { ConfigError, readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import type { Command } from '../../server/points/service.js';
import { root } from '../../scripts/root.js';
import { freePort } from '../../scripts/services/process.js';
import { plainEnv, run } from '../support/start.js';
import { startWorld, type World } from '../support/world.js';

const commandFor = (fan: string): Command => ({
  fan,
  deed: 'follow:x:1',
  want: 'give',
  facts: { account: '1', on: 'account', athlete: 'a', disciplines: [] },
  cause: 'hub_click',
  act: null,
  card: 'x@1:hub',
  link: null,
  evidence: null,
  askedAt: new Date(),
});
const TOKYO = 'Asia/Tokyo';

describe('the time zone that cuts the days', function () {
  this.timeout(60_000);
  let world: World;
  const open: Context[] = [];
  const start = async (timezone?: string, name = world.env['MONGODB_NAME']): Promise<Context> => {
    const env = { ...world.env, MONGODB_NAME: name, ...(timezone ? { TIMEZONE: timezone } : {}) };
    const context = await createContext(readConfig(env), 'zone', {
      log: pino({ level: 'silent' }),
      search: false,
    });
    open.push(context);
    return context;
  };
  const refused = async (work: Promise<unknown>): Promise<string> => {
    try {
      await work;
    } catch (error) {
      expect(error).to.be.instanceOf(ConfigError);
      return (error as ConfigError).problems.join();
    }
    return 'not refused';
  };
  const LINE =
    /^TIMEZONE is Asia\/Tokyo, but the points of this hub are counted by Europe\/Paris: .* Set TIMEZONE=Europe\/Paris\.$/;

  before(async () => {
    world = await startWorld({ card: 'hub' });
  });
  after(async () => {
    for (const context of open) {
      if (context.config.mongodb.name !== world.env['MONGODB_NAME'])
        await context.connection.dropDatabase().catch(() => undefined);
      await context.close();
    }
    await world.close();
  });

  it('may be changed until the first point is given, and never after it', async () => {
    await start(TOKYO);
    await world.context.points.record(commandFor('ann'));
    expect(await refused(start(TOKYO))).to.match(LINE);
    await start();
  });

  it(
    'is that of whoever writes first, whichever of two processes that is; the other writes ' +
      'nothing',
    async () => {
      for (const order of [[undefined, TOKYO] as const, [TOKYO, undefined] as const]) {
        const name = `${world.env['MONGODB_NAME'] ?? ''}_${order[0] ?? 'paris'}`.replace('/', '_');
        const [first, second] = [await start(order[0], name), await start(order[1], name)];
        await first.release();
        const outcomes = await Promise.allSettled([
          ...Array.from({ length: 5 }, (_x, n) => first.points.record(commandFor(`first-${n}`))),
          ...Array.from({ length: 5 }, (_x, n) => second.points.record(commandFor(`second-${n}`))),
        ]);
        const given = outcomes.map((one) => one.status === 'fulfilled');
        // Five of one process, and none of the other: which of them was first is theirs to settle.
        expect(
          [given.slice(0, 5).every(Boolean), given.slice(5).every(Boolean)].filter(Boolean),
        ).to.have.length(1);
        expect(given.filter(Boolean)).to.have.length(5);
        const [won, lost] = given[0] ? [first, second] : [second, first];
        expect((await won.points.verify()).bad).to.equal(null);
        expect((await won.connection.collection('entries').find().toArray()).length).to.equal(5);
        expect(await refused(lost.points.record(commandFor('late')))).to.contain('TIMEZONE is');
      }
    },
  );

  it('is named in one line by every program that would start with another', async () => {
    const env = plainEnv({
      ...world.env,
      NODE_ENV: 'development',
      PORT: String(await freePort()),
      TIMEZONE: TOKYO,
    });
    const production = {
      ...env,
      NODE_ENV: 'production',
      PUBLIC_URL: 'https://village.test',
      METRICS_TOKEN: randomBytes(32).toString('hex'),
    };
    for (const [name, file, args, settings] of [
      ['village web', 'server/main.js', ['web'], env],
      ['village worker', 'server/main.js', ['worker'], env],
      ['village release', 'server/main.js', ['release'], env],
      ['village hub', 'scripts/hub.js', ['ledger', 'verify'], env],
      ['village', 'scripts/start.js', [], production],
    ] as const) {
      const { code, errors } = await run([join(root, 'build', file), ...args], settings);
      expect([name, code, errors.trim().split('\n').length], errors).to.deep.equal([name, 1, 1]);
      expect(errors.trim().replace(`${name}: `, '')).to.match(LINE);
    }
  });
});
