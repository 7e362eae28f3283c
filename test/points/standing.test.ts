import { expect } from 'chai';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import { StandingAudit } from '../../server/points/standing-audit.js';
import type { Command } from '../../server/points/service.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

describe('with a bus that loses every message', () => {
  let world: World;
  /** A second process, which hears nothing of what the first one does. */
  let other: Context;
  const give = (fan: string, account: string, discipline = 'fencing'): Command => ({
    fan,
    deed: `follow:x:${account}`,
    want: 'give',
    facts: { account, on: 'account', athlete: 'a', disciplines: [discipline] },
    cause: 'hub_click',
    act: null,
    card: 'x@1:hub',
    link: null,
    evidence: null,
    askedAt: new Date(),
  });
  const shown = async (board = 'hub', context = other): Promise<string[]> =>
    (await context.points.board(board, { limit: 100 }))?.rows.map((row) => row.name) ?? [];
  /** The second process looks at the counters of changes, as it does every few seconds. */
  const look = (): void => {
    (other.changes as unknown as { lookedAt: number }).lookedAt -= 11_000;
  };

  before(async () => {
    world = await startWorld({ card: 'hub', deaf: true });
    other = await createContext(readConfig(world.env), 'other', {
      clock: world.clock,
      log: pino({ level: 'silent' }),
      search: false,
    });
    other.bus.tell = () => undefined;
    await world.athletes();
    for (const athlete of ['athlete1', 'athlete2', 'athlete3']) await world.verify(athlete, 'x');
    await world.context.points.heal();
  });
  after(async () => {
    await other.close();
    await world.close();
  });

  it(
    'a banned fan leaves every board, and whoever changes a role comes and goes, within the ' +
      'next audit',
    async () => {
      const people = new Map<string, string>();
      for (const name of ['ann', 'ben', 'cat']) {
        const { fan } = await world.fan(name);
        people.set(name, fan._id);
        await other.points.record(give(fan._id, '1'));
      }
      await other.points.settled();
      expect(await shown()).to.have.members(['ann', 'ben', 'cat']);
      const id = (name: string): string => people.get(name) ?? '';
      await world.context.fans.ban(id('ann'), 'test', 'spam');
      await world.context.fans.setRole(id('ben'), 'moderator', true, 'test');
      expect(await other.points.audit()).to.be.greaterThan(0);
      expect(await shown()).to.deep.equal(['cat']);
      expect(await shown('discipline:fencing')).to.deep.equal(['cat']);
      await world.context.fans.setRole(id('ben'), 'moderator', false, 'test');
      await other.points.audit();
      expect(await shown()).to.have.members(['ben', 'cat']);
      // The other process knows the ban by itself a few seconds later.
      await until(async () => (await other.fans.get(id('ann')))?.state === 'banned');
    },
  );

  it(
    'a standing from before a change is never written over the newer one: not in a score, nor ' +
      'on a board that had not seen the fan',
    async () => {
      const { fan } = await world.fan('dan');
      await other.points.record(give(fan._id, '1'));
      await other.points.settled();
      await world.context.fans.ban(fan._id, 'test', 'spam');
      await world.context.points.audit();
      // The process that has not heard of it writes on.
      await other.points.record(give(fan._id, '2', 'judo'));
      await other.points.settled();
      expect(await shown('discipline:judo')).to.deep.equal([]);
      const score = await world.context.connection
        .collection('scores')
        .findOne({ _id: fan._id as never });
      expect(score?.['standing']).to.include({ rankable: false, revision: 2 });
      await world.context.redis.commands.flushall();
      await world.context.points.heal();
      expect(await shown()).not.to.include('dan');
    },
  );

  it(
    'a standing that was read just before a change and written just after it is put right by ' +
      'the audit',
    async () => {
      const { fan } = await world.fan('eve');
      const { fans } = other;
      const standings = fans.standings.bind(fans);
      let read = 0;
      let go: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        go = resolve;
      });
      Object.assign(fans, {
        standings: async (ids: string[]) => {
          const found = await standings(ids);
          read += 1;
          await held;
          return found;
        },
      });
      await other.points.record(give(fan._id, '1', 'rowing'));
      await until(() => read > 0);
      Reflect.deleteProperty(fans, 'standings');
      await world.context.fans.ban(fan._id, 'test', 'spam');
      await world.context.points.audit();
      go();
      await other.points.settled();
      expect(await shown('discipline:rowing')).to.deep.equal(['eve']);
      await world.context.points.audit();
      expect(await shown('discipline:rowing')).to.deep.equal([]);
      await world.context.redis.commands.flushall();
      await world.context.points.heal();
      expect(await shown()).not.to.include('eve');
    },
  );

  it(
    'a hidden athlete and a revoked account earn nothing more and are shown no more, once the ' +
      'counters are looked at',
    async () => {
      const { registry, athletes, follows } = other;
      expect(await registry.verified('x')).to.have.length(3);
      expect(await athletes.bySlug('athlete1')).to.not.equal(null);
      const { fan } = await world.fan('fay');
      await world.context.athletes.hide('athlete1', true);
      const by = await world.moderator();
      const { items } = await world.context.registry.queue(by, 'verified');
      const revoked = items.find((file) => file.athlete === 'athlete2');
      await world.context.registry.revoke(by, revoked?._id ?? '', 'test');
      look();
      expect(await athletes.bySlug('athlete1')).to.equal(null);
      expect((await registry.verified('x')).map((one) => one.handle)).to.deep.equal(['athlete3']);
      const answers = await Promise.allSettled(
        ['athlete1', 'athlete2', 'athlete3'].map(async (slug) =>
          follows.confirm({
            fan: fan._id,
            athlete: (await world.context.athletes.byIds([slug])).get(slug)?._id ?? slug,
            network: 'x',
            language: 'en',
          }),
        ),
      );
      expect(answers.map((one) => one.status)).to.deep.equal(['rejected', 'rejected', 'fulfilled']);
    },
  );

  it('a video that was published is known everywhere once the counters are looked at', async () => {
    expect(await other.videos.published()).to.deep.equal([]);
    await world.context.connection
      .collection('videos')
      .insertOne({ _id: 'v' as never, lock: [], published: true, publishedAt: new Date() });
    await world.context.settings.next('changed.videos');
    look();
    expect(await other.videos.published()).to.have.length(1);
  });
});

describe('the audit of standings', () => {
  it(
    'looks back by a minute, finds what was numbered early and written late, and goes on ' +
      'where another worker ended',
    async () => {
      let now = 0;
      let kept: unknown = null;
      const changes: { fan: string; number: number }[] = [];
      let count = 0;
      const heard: string[][] = [];
      const audit = (): StandingAudit =>
        new StandingAudit(
          {
            standings: () => Promise.resolve(new Map()),
            changedSince: (from) =>
              Promise.resolve({
                fans: changes.filter((one) => one.number > from).map((one) => one.fan),
                to: count,
              }),
          },
          {
            get: () => Promise.resolve(kept),
            set: (_name: string, value: unknown) => {
              kept = value;
              return Promise.resolve();
            },
          } as never,
          (fans) => {
            heard.push(fans);
            return Promise.resolve();
          },
          () => now,
        );
      const one = audit();
      count = 2;
      changes.push({ fan: 'second', number: 2 });
      await one.run();
      now += 5000;
      // Its number was given before that look, and it is there only now.
      changes.push({ fan: 'first', number: 1 });
      await one.run();
      expect(heard.at(-1)).to.have.members(['second', 'first']);
      now += 61_000;
      await one.run();
      expect(kept).to.equal(2);
      await one.run();
      expect(heard.at(-1)).to.deep.equal([]);
      count = 3;
      changes.push({ fan: 'third', number: 3 });
      await audit().run();
      expect(heard.at(-1)).to.deep.equal(['third']);
    },
  );
});
