import { expect } from 'chai';
import fc from 'fast-check';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import { Follows, type FollowParts } from '../../server/follows/service.js';
import type { Card } from '../../server/networks/cards.js';
import type { NetworkId } from '../../server/networks/network.js';
import { HOUR, startWorld, type World } from '../support/world.js';

type Policy = Pick<Card, 'mode' | 'deeds'>;
const policies = fc.record<Policy>({
  mode: fc.constantFrom('off', 'hub', 'confirmed'),
  deeds: fc.subarray<'follow' | 'like'>(['follow', 'like']),
});
/** A waiting give twice: it alone comes by no door that looks at the card first. */
const PATHS = [
  'door',
  'joined door',
  'check',
  'first link',
  'sweep',
  'due give',
  'due give',
] as const;
const KIND = { x: 'follow', facebook: 'like' } as const;

describe('no path awards past a card', () => {
  let world: World;
  let other: Context;
  let fans = 0;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    for (const network of ['x', 'facebook'] as const) await world.verify('athlete1', network);
    // Who signs cards is another process, whose news is lost: nothing but the store says that the
    // card has changed.
    other = await createContext(readConfig(world.env), 'other', {
      clock: world.clock,
      log: pino({ level: 'silent' }),
      search: false,
    });
    other.bus.tell = () => undefined;
  });
  after(async () => {
    await other.close();
    await world.close();
  });

  it('whatever cards say, whenever they change, by whichever way a give comes', async function () {
    this.timeout(300_000);
    const who = (await world.context.athletes.require('athlete1'))._id;
    const parts = Reflect.get(world.context.follows, 'parts') as FollowParts;
    let given = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<NetworkId>('x', 'facebook'),
        fc.constantFrom(...PATHS),
        policies,
        fc.option(policies, { nil: null, freq: 1 }),
        async (network, path, first, then) => {
          const handle = `card${(fans += 1)}`;
          const { fan } = await world.fan(handle, { networks: [network] });
          await world.settle();
          const person = world.sandbox.world.person(handle) as never;
          world.sandbox.world.relate(
            network,
            person,
            world.sandbox.world.person('athlete1') as never,
            true,
          );
          let inForce = await other.cards.sign(network, first, 'test');
          world.context.cards.current(network).catch(() => undefined);
          // This process learns of the first card, and of the second only from the store.
          world.clock.advance(10_000);
          await world.context.cards.cached(network);
          let decided: Card | null = null;
          let changed = then === null;
          const points = new Proxy(parts.points, {
            get(real, key) {
              const value = Reflect.get(real, key) as unknown;
              if (key !== 'record' && key !== 'recordMany')
                return typeof value === 'function' ? (value as () => unknown).bind(real) : value;
              // At the last moment before the ledger decides, somebody signs another card.
              return async (...args: unknown[]): Promise<unknown> => {
                if (!changed && then) inForce = await other.cards.sign(network, then, 'test');
                changed = true;
                decided = inForce;
                return (value as (...all: unknown[]) => unknown).apply(real, args);
              };
            },
          });
          const follows = new Follows({ ...parts, points });
          const door = () =>
            follows
              .confirm({ fan: fan._id, athlete: who, network, language: 'en' })
              .catch(() => null);
          const account = (await world.context.registry.verified(network))[0];
          if (!account) throw new Error('no account');
          const deed = `${KIND[network]}:${network}:${account.accountId}`;
          const [identity] = await world.context.fans.identities.linkedBy(fan._id);
          if (path === 'door') await door();
          else if (path === 'joined door') await Promise.all([door(), door(), door()]);
          else if (path === 'check' || path === 'first link')
            await follows.checkNetwork(fan._id, network);
          else if (path === 'sweep') {
            // A deed that was taken back lately is asked about again by itself.
            await world.context.connection
              .collection('identities')
              .updateOne({ fan: fan._id }, { $set: { checkedAt: new Date(0) } });
            await follows.sweep.recheck({ network, fans: [fan._id] });
          } else {
            const card = await world.context.cards.cached(network);
            await parts.doubts.wait({
              fan: fan._id,
              network,
              deed,
              turn: 1,
              notBefore: new Date(world.clock.now().getTime() - HOUR),
              command: {
                account: account.accountId,
                accountRecord: account.id,
                epoch: account.epoch,
                athlete: account.athlete.id,
                disciplines: [],
                card: `${card?.id ?? inForce.id}:${first.mode}`,
                link: first.mode === 'confirmed' ? (identity?.link ?? null) : null,
                cause: first.mode === 'confirmed' ? 'network_yes' : 'hub_click',
              },
            });
            await world.sweep();
          }
          for (const entry of await world.context.points.statement(fan._id, 10)) {
            given += 1;
            const card = decided ?? inForce;
            expect([path, entry.card]).to.deep.equal([path, `${card.id}:${card.mode}`]);
            expect([path, card.deeds.includes(KIND[network])]).to.deep.equal([path, true]);
            expect([path, entry.cause]).to.deep.equal([
              path,
              card.mode === 'hub' ? 'hub_click' : 'network_yes',
            ]);
          }
        },
      ),
      { numRuns: 120 },
    );
    // It is not that nothing is ever given.
    expect(given).to.be.greaterThan(3);
  });

  it('takes back what was earned under a card that holds no more, and asks about it', async () => {
    await world.context.cards.sign('x', { mode: 'confirmed', deeds: ['follow'] }, 'test');
    const { fan, token } = await world.fan('later');
    const [person, star] = [
      world.sandbox.world.person('later') as never,
      world.sandbox.world.person('athlete1') as never,
    ];
    world.sandbox.world.relate('x', person, star, true);
    expect(
      (
        await world.api('/athletes/athlete1/follow', {
          method: 'POST',
          token,
          body: { network: 'x' },
        })
      ).body,
    ).to.include({ awarded: 1 });
    await world.settle();
    await world.context.cards.sign('x', { mode: 'off', deeds: [] }, 'test');
    world.sandbox.world.relate('x', person, star, false);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    world.clock.advance(12.1 * HOUR);
    await world.sweep();
    const [last] = await world.context.points.statement(fan._id, 1);
    expect([last?.turn, last?.cause, last?.card.endsWith(':confirmed')]).to.deep.equal([
      2,
      'network_no',
      true,
    ]);
  });

  it('keeps to the newest card when the clock is set back', async () => {
    await world.context.cards.sign('x', { mode: 'hub', deeds: ['follow'] }, 'test');
    world.clock.advance(10_000);
    await world.context.cards.sign('x', { mode: 'confirmed', deeds: ['follow'] }, 'test');
    world.clock.advance(-50 * 60_000);
    expect((await world.context.cards.cached('x'))?.mode).to.equal('confirmed');
    expect((await other.cards.current('x'))?.mode).to.equal('confirmed');
  });
});
