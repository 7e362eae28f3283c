import { expect } from 'chai';
import { pino } from 'pino';
import { sha256 } from '../../server/platform/ids.js';
import { setClaims } from '../../server/sockets/claims.js';
import { Revalidation } from '../../server/sockets/revalidation.js';
import type { VillageSocket } from '../../server/village/socket.js';
import { startWorld, type World } from '../support/world.js';

/**
 * RELIABILITY S4, S5 with no message at all: what is changed is counted, and only that is looked
 * at.
 */
describe('what sockets stand on', () => {
  let world: World;
  let revalidation: Revalidation;
  let now = 0;
  let ended: string[] = [];

  before(async () => {
    world = await startWorld({});
  });
  after(() => world.close());
  beforeEach(() => {
    ended = [];
    revalidation = new Revalidation(
      world.context.fans,
      world.context.sessions,
      pino({ level: 'silent' }),
      () => now,
    );
    // It looks when the test says so, and not by itself.
    revalidation.stop();
  });

  const session = async (fan: string, name: string): Promise<string> => {
    const hash = sha256(name);
    const at = world.clock.now();
    const expires = new Date(at.getTime() + 3_600_000);
    await world.context.connection
      .collection('sessions')
      .insertOne({ _id: hash as never, fan, data: '{}', seenAt: at, createdAt: at, expires });
    return hash;
  };
  /** A socket that was let in, by a session or by a token. */
  const enter = (name: string, fan: string, by: { session?: string; token?: string }): void => {
    const socket = {
      data: {},
      disconnect: () => void ended.push(name),
    } as unknown as VillageSocket;
    setClaims(socket, {
      fan,
      session: by.session ?? null,
      version: 1,
      token: by.token ?? null,
      scopes: null,
      lang: 'en',
    });
    revalidation.add(socket);
  };
  /** How many fans are read meanwhile. */
  const read = async (work: () => Promise<void>): Promise<number> => {
    const { fans } = world.context;
    const real = fans.credentials.bind(fans);
    let count = 0;
    Object.assign(fans, {
      credentials: (ids: string[]) => {
        count += ids.length;
        return real(ids);
      },
    });
    await work().finally(() => Reflect.deleteProperty(fans, 'credentials'));
    return count;
  };

  const ends: [
    how: string,
    end: (fan: string, session: string, token: string) => Promise<unknown>,
    which: string[],
  ][] = [
    ['a session', (fan, session) => world.context.fans.ended(fan, session), ['session']],
    ['all sessions', (fan) => world.context.fans.signOutEverywhere(fan), ['session']],
    ['a token', (fan, _session, token) => world.context.tokens.end(fan, sha256(token)), ['token']],
    [
      'a fan’s welcome',
      (fan) => world.context.fans.ban(fan, 'admin', 'test'),
      ['session', 'token'],
    ],
  ];
  for (const [at, [how, end, which]] of ends.entries())
    it(`is gone within one look at the count of changes at the end of ${how}`, async () => {
      const { fan, token } = await world.fan(`ends${at}`);
      const other = await world.fan(`stays${at}`);
      const mine = await session(fan._id, how);
      enter('session', fan._id, { session: mine });
      enter('token', fan._id, { token });
      enter('other', other.fan._id, { token: other.token });
      await revalidation.look();
      expect(await read(() => revalidation.look()), 'nobody changed: nobody is read').to.equal(0);
      await end(fan._id, mine, token);
      expect(await read(() => revalidation.look()), 'the one who changed').to.equal(1);
      expect(ended.sort()).to.deep.equal(which);
    });

  for (const first of [true, false])
    it(`is found gone though a change was numbered before ${first ? 'the first look of all' : 'a look'} and written after it`, async () => {
      const { fan, token } = await world.fan(`late${String(first)}`);
      enter('token', fan._id, { token });
      if (!first) await revalidation.look();
      const changed = await world.context.fans.nextChange();
      await revalidation.look();
      await world.context.connection
        .collection('fans')
        .updateOne({ _id: fan._id as never }, { $set: { changed, state: 'banned' } });
      await revalidation.look();
      expect(ended).to.deep.equal(['token']);
    });

  it('is found gone though the store did not answer when it was to be looked at, however long', async () => {
    const { fan, token } = await world.fan('unread');
    enter('token', fan._id, { token });
    await revalidation.look();
    await world.context.fans.ban(fan._id, 'admin', 'test');
    const { fans } = world.context;
    Object.assign(fans, { credentials: () => Promise.reject(new Error('away')) });
    for (let looks = 0; looks < 4; looks += 1) {
      await revalidation.look();
      now += 5000;
    }
    Reflect.deleteProperty(fans, 'credentials');
    expect(ended).to.deep.equal([]);
    await revalidation.look();
    expect(ended).to.deep.equal(['token']);
  });

  it('is read ten seconds long after a change, and not for ever', async () => {
    const { fan, token } = await world.fan('stays');
    enter('token', fan._id, { token });
    const reads = async (): Promise<number> => {
      now += 1000;
      return read(() => revalidation.look());
    };
    for (let looks = 0; looks < 12; looks += 1) await reads();
    await world.context.fans.rename(fan._id, 'Stays here');
    const counts: number[] = [];
    for (let looks = 0; looks < 14; looks += 1) counts.push(await reads());
    expect(counts.slice(0, 9)).to.deep.equal(Array.from({ length: 9 }, () => 1));
    expect(counts.slice(-2)).to.deep.equal([0, 0]);
    expect(ended).to.deep.equal([]);
  });

  it(
    'is looked at every minute whatever is counted: a session whose time is over, a fan who ' +
      'is no more',
    async () => {
      const { fan, token } = await world.fan('gone');
      const mine = await session(fan._id, 'timed');
      enter('session', fan._id, { session: mine });
      enter('token', fan._id, { token });
      await revalidation.look();
      await world.context.connection
        .collection('sessions')
        .updateOne({ _id: mine as never }, { $set: { expires: new Date(0) } });
      await revalidation.look();
      expect(ended).to.deep.equal([]);
      now += 60_000;
      await revalidation.look();
      expect(ended).to.deep.equal(['session']);
      await world.context.connection.collection('fans').deleteOne({ _id: fan._id as never });
      now += 60_000;
      await revalidation.look();
      expect(ended.slice(1)).to.include('token');
    },
  );

  it('stands while the store does not answer', async () => {
    const { fan, token } = await world.fan('patient');
    enter('token', fan._id, { token });
    await revalidation.look();
    const { fans } = world.context;
    const away = (): Promise<never> => Promise.reject(new Error('away'));
    Object.assign(fans, { credentials: away, changedSince: away });
    now += 60_000;
    await revalidation.look();
    Reflect.deleteProperty(fans, 'credentials');
    Reflect.deleteProperty(fans, 'changedSince');
    expect(ended).to.deep.equal([]);
  });
});
