import { expect } from 'chai';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import { TakeBackLimit } from '../../server/follows/take-back-limit.js';
import { HOUR, startWorld, TestClock, type World } from '../support/world.js';

describe('the limit on take-backs', () => {
  let world: World;
  let other: Context;
  before(async () => {
    world = await startWorld();
    other = await createContext(readConfig(world.env), 'other', {
      clock: world.clock,
      log: pino({ level: 'silent' }),
      search: false,
    });
  });
  after(async () => {
    await other.close();
    await world.close();
  });
  /** The limit of another process over the same store; `held` stands for the ledger. */
  const limitOf = (context: Context, held: number, clock = world.clock): TakeBackLimit =>
    new TakeBackLimit({
      connection: context.connection,
      settings: context.settings,
      audit: context.audit,
      log: context.log,
      clock,
      held: () => Promise.resolve(held),
    });
  const forget = () => world.context.connection.collection('take_backs').deleteMany({});
  const limits = (share: number, least: number) =>
    world.context.settings.set('follows.takeBackLimit', { share, least });

  for (const [held, most] of [
    [1000, 50],
    [10_000, 200],
  ] as const)
    it(`lets an hour take ${most} of ${held} deeds, over all processes that take at once`, async () => {
      await forget();
      const both = [limitOf(world.context, held), limitOf(other, held)];
      const granted = await Promise.all(
        Array.from({ length: 300 }, async (_one, at) =>
          (await both[at % 2]?.reserve('x', 1)) ? 1 : 0,
        ),
      );
      expect(
        granted.reduce<number>((sum, one) => sum + one, 0),
        'no more and no fewer',
      ).to.equal(most);
      const { stop } = await (both[0] as TakeBackLimit).stateOf('x');
      expect(stop).to.include({ held, limit: most });
      expect(await both[1]?.reserve('facebook', 1), 'the other network goes on').to.not.equal(null);
    });

  it('lets those go who fit, whatever is asked for at the same time and refused', async () => {
    await forget();
    const both = [limitOf(world.context, 100), limitOf(other, 100)];
    const granted = await Promise.all(
      Array.from({ length: 8 }, async (_one, at) =>
        (await both[at % 2]?.reserve('x', 10)) ? 1 : 0,
      ),
    );
    expect(granted.filter((one) => one === 1)).to.have.length(5);
    expect((await (both[0] as TakeBackLimit).stateOf('x')).stop).to.include({
      taken: 50,
      wanted: 10,
      limit: 50,
    });
  });

  it('gives nothing back to what a person has let go meanwhile', async () => {
    await forget();
    const limit = limitOf(world.context, 100);
    const reserved = await limit.reserve('x', 40);
    expect(await limit.reserve('x', 11)).to.equal(null);
    const { stop } = await limit.stateOf('x');
    expect(
      await limit.release('x', stop?.at ?? new Date(0), { by: 'ann', reason: 'looked', deeds: 0 }),
    ).to.equal(true);
    await reserved?.giveBack(30);
    expect(await limit.reserve('x', 51), 'the hour is counted anew, and holds fifty').to.equal(
      null,
    );
  });

  it('counts any hour, not the hours of the clock, also when that is set back', async () => {
    await forget();
    const clock = new TestClock();
    const limit = limitOf(world.context, 100, clock);
    expect(await limit.reserve('x', 30)).to.not.equal(null);
    clock.advance(-50 * 60_000);
    expect(await limit.reserve('x', 15)).to.not.equal(null);
    clock.advance(80 * 60_000);
    expect(
      await limit.reserve('x', 25),
      '30 were half an hour ago, 15 longer than an hour',
    ).to.equal(null);
    await forget();
    expect(await limit.reserve('x', 40)).to.not.equal(null);
    clock.advance(66 * 60_000);
    expect(await limit.reserve('x', 40), 'an hour later').to.not.equal(null);
  });

  it('gives back what was not taken after all', async () => {
    await forget();
    const limit = limitOf(world.context, 100);
    const reserved = await limit.reserve('x', 50);
    await reserved?.giveBack(20);
    expect(await limit.reserve('x', 20)).to.not.equal(null);
    expect(await limit.reserve('x', 1)).to.equal(null);
  });

  it('stays until a person lets it go on, and then lets go what they saw and no more', async () => {
    await forget();
    const limit = limitOf(world.context, 100);
    expect(await limit.reserve('x', 51)).to.equal(null);
    world.clock.advance(100 * HOUR);
    expect(await limitOf(other, 100).reserve('x', 1)).to.equal(null);
    const { stop } = await limit.stateOf('x');
    const at = stop?.at ?? new Date(0);
    expect(
      await limit.release('x', new Date(at.getTime() - 1), {
        by: 'ann',
        reason: 'not this one',
        deeds: 60,
      }),
    ).to.equal(false);
    expect(await limit.release('x', at, { by: 'ann', reason: 'looked', deeds: 60 })).to.equal(true);
    expect(await limit.release('x', at, { by: 'ben', reason: 'looked too', deeds: 60 })).to.equal(
      false,
    );
    expect(await limit.reserve('x', 60), 'what they saw').to.not.equal(null);
    expect(await limit.reserve('x', 50), 'the next hour').to.not.equal(null);
    expect(await limit.reserve('x', 1), 'and no more').to.equal(null);
    expect(
      (await world.context.audit.about('take_back:x')).map((one) => [one.act, one.by]).slice(0, 3),
    ).to.deep.equal([
      ['take_back.stopped', 'take_back_limit'],
      ['take_back.released', 'ann'],
      ['take_back.stopped', 'take_back_limit'],
    ]);
  });

  describe('while a network denies what fans hold', () => {
    const FANS = 8;
    const fans: { id: string; token: string; handle: string }[] = [];
    const person = (handle: string) => world.sandbox.world.person(handle) as never;
    const does = (handle: string, on: boolean) =>
      world.sandbox.world.relate('x', person(handle), person('athlete1'), on);
    const points = async (): Promise<number[]> =>
      Promise.all(fans.map(async ({ id }) => (await world.context.points.head(id)).after.points));
    const total = async (): Promise<number> => (await points()).reduce((sum, one) => sum + one, 0);
    const askAll = async () => {
      for (const { id } of fans)
        await world.context.follows.sweep.recheck({ network: 'x', fans: [id] });
    };
    before(async () => {
      await forget();
      await limits(0.02, 3);
      await world.athletes();
      await world.verify('athlete1', 'x');
      for (let at = 0; at < FANS; at += 1) {
        const handle = `denied${at}`;
        const { fan, token } = await world.fan(handle);
        fans.push({ id: fan._id, token, handle });
        does(handle, true);
        await world.api('/athletes/athlete1/follow', {
          method: 'POST',
          token,
          body: { network: 'x' },
        });
      }
      await world.settle();
      expect(await total()).to.equal(FANS);
    });

    it('takes what an hour may take, then stops, and never holds up an undo', async () => {
      for (const { handle } of fans) does(handle, false);
      await askAll();
      world.clock.advance(12.1 * HOUR);
      await world.sweep();
      expect(await total()).to.equal(FANS - 3);
      const held = fans[(await points()).indexOf(1)];
      const undone = await world.api('/athletes/athlete1/follow', {
        method: 'DELETE',
        token: held?.token ?? '',
        body: { network: 'x' },
      });
      expect(undone.body).to.include({ verdict: 'no', turn: 2, points: 0 });
      const calls = world.sandbox.world.log.length;
      for (let minute = 0; minute < 10; minute += 1) {
        world.clock.advance(60_000);
        await world.sweep();
      }
      expect(
        [await total(), world.sandbox.world.log.length - calls],
        'nothing more, and nobody is asked in vain',
      ).to.deep.equal([FANS - 4, 0]);
    });

    it(
      'tells staff, by page, by door, by figure and in the frame of their pages, and nobody ' +
        'else',
      async () => {
        const { token } = await world.fan('organiser1', { role: 'organiser' });
        const { items } = (await world.api('/networks/taking', { token })).body as unknown as {
          items: {
            network: string;
            stopped: { taken: number; limit: number; held: number } | null;
            waiting: { deeds: number; fans: number };
          }[];
        };
        expect(
          items.map((one) => [
            one.network,
            one.stopped?.taken ?? null,
            one.stopped?.limit ?? null,
            one.waiting.deeds,
            one.waiting.fans,
          ]),
        ).to.deep.equal([
          ['x', 3, 3, 4, 4],
          ['facebook', null, null, 0, 0],
        ]);
        const metrics = await fetch(`${world.url}/metrics`, {
          headers: { authorization: 'Bearer metrics-token-of-a-test' },
        });
        expect(await metrics.text()).to.match(/village_taking_stopped\{network="x"\} 1\n/);
        const browser = world.browser();
        await browser.signIn('x', 'organiser1');
        expect((await browser.go('/fr')).text).to.contain(
          'Un réseau dément trop de points à la fois',
        );
        const page = (await browser.go('/en/console/networks')).text;
        expect(page)
          .to.contain('Taking back is stopped.')
          .and.contain('4 points that the network has denied')
          .and.contain('4 fans would lose some.');
        expect((await browser.go('/fr/console/networks')).text).to.contain(
          'Les reprises sont arrêtées.',
        );

        for (const role of [undefined, 'athlete', 'volunteer', 'moderator'] as const) {
          const handle = `nobody-${role ?? 'fan'}`;
          const { token: theirs } = await world.fan(handle, role ? { role } : {});
          expect([
            role,
            (await world.api('/networks/taking', { token: theirs })).status,
          ]).to.deep.equal([role, 403]);
          for (const path of ['/networks/x/taking', '/networks/taking/limits']) {
            const body = {
              at: new Date().toISOString(),
              deeds: 1,
              reason: 'please',
              share: 1,
              least: 1,
            };
            expect([
              role,
              path,
              (await world.api(path, { method: 'POST', token: theirs, body })).status,
            ]).to.deep.equal([role, path, 403]);
          }
          const reader = world.browser();
          await reader.signIn('x', handle);
          expect([role, (await reader.go('/en/console/networks')).status]).to.deep.equal([
            role,
            404,
          ]);
          expect((await reader.go('/en')).text).to.not.contain('denies too many points');
        }
        expect((await world.api('/networks/taking')).status).to.equal(401);
        const { fan } = await world.fan('organiser1');
        const reading = await world.context.tokens.create(fan._id, 'reads only', ['read']);
        expect((await world.api('/networks/taking', { token: reading })).body).to.include({
          id: 'missing_scope',
        });
        expect(
          (
            await world.api('/networks/x/taking', {
              method: 'POST',
              token,
              body: { at: 'soon', deeds: 4, reason: 'no time' },
            })
          ).status,
        ).to.equal(400);
      },
    );

    it(
      'goes on when a person says so, by form alone, and asks the network once more before ' +
        'each',
      async () => {
        // The network had been wrong about one of them.
        const wrongly = (await points()).lastIndexOf(1);
        does(fans[wrongly]?.handle ?? '', true);
        const browser = world.browser();
        await browser.signIn('x', 'organiser1');
        const fields = browser.form(
          (await browser.go('/en/console/networks')).text,
          '/console/networks/x',
        );
        const without = new URLSearchParams(fields);
        without.delete('csrf');
        without.set('reason', 'no form of ours');
        expect((await browser.post('/en/console/networks/x', without)).status).to.equal(403);
        expect((await browser.post('/en/console/networks/x', fields)).text).to.contain(
          'A reason is needed.',
        );
        fields.set('reason', 'X answered: it was a purge of bots');
        const done = await browser.post('/en/console/networks/x', fields);
        const { fan } = await world.fan('organiser1');
        expect(done.text)
          .to.contain('Taking back works.')
          .and.contain(`${fan.handle}, 4 points. X answered: it was a purge of bots`);
        const late = await browser.post('/en/console/networks/x', fields);
        expect([late.status, late.text.includes('Somebody decided before you')]).to.deep.equal([
          409,
          true,
        ]);
        await world.sweep();
        expect(await total()).to.equal(1);
        expect((await points())[wrongly]).to.equal(1);
        expect(
          await world.context.connection
            .collection('doubts')
            .countDocuments({ state: { $in: ['asked', 'lost'] } }),
        ).to.equal(0);
      },
    );

    it('has limits that an organiser sets, by door or form', async () => {
      const { token } = await world.fan('admin1', { role: 'admin' });
      expect(
        (
          await world.api('/networks/taking/limits', {
            method: 'POST',
            token,
            body: { share: 0.05, least: 20 },
          })
        ).body,
      ).to.deep.equal({
        share: 0.05,
        least: 20,
      });
      expect(
        (
          await world.api('/networks/taking/limits', {
            method: 'POST',
            token,
            body: { share: 2, least: 20 },
          })
        ).status,
      ).to.equal(400);
      const browser = world.browser();
      await browser.signIn('x', 'admin1');
      const fields = browser.form(
        (await browser.go('/fr/console/networks')).text,
        '/console/networks/limits',
      );
      fields.set('percent', '2,5');
      fields.set('least', '');
      expect((await browser.post('/fr/console/networks/limits', fields)).status).to.equal(400);
      fields.set('least', '50');
      expect((await browser.post('/fr/console/networks/limits', fields)).text)
        .to.contain('plus de 2,5\u202f%')
        .and.contain('plus de 50');
      expect(await world.context.settings.get('follows.takeBackLimit')).to.deep.equal({
        share: 0.025,
        least: 50,
      });
    });
  });
});
