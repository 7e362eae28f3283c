import { expect } from 'chai';
import fc from 'fast-check';
import session, { type SessionData } from 'express-session';
import { SessionStore, type SessionOwners } from '../../server/platform/sessions.js';
import { sha256 } from '../../server/platform/ids.js';
import { startWorld, type World } from '../support/world.js';

/**
 * What the store does by steps, each of which may come before or after any step of another request.
 */
type Act = 'write' | 'touch' | 'end' | 'read' | 'end all';

describe('a session that was ended', function () {
  this.timeout(120_000);
  let world: World;
  let number = 0;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  /** A store whose every step towards MongoDB, Redis and the fan waits for its turn. */
  function stepwise(s: fc.Scheduler): SessionStore {
    const store = new SessionStore(world.context.connection, world.context.redis, world.clock);
    const turn = <T>(what: string, work: () => Promise<T>): Promise<T> =>
      s.schedule(Promise.resolve(), what).then(work);
    const { fans, redis } = world.context;
    const owners: SessionOwners = {
      stands: (...args) => turn('stands', () => fans.stands(...args)),
      ended: (...args) => turn('ended', () => fans.ended(...args)),
    };
    store.belongTo(owners);
    const { commands } = redis;
    const inside = store as unknown as {
      redis: unknown;
      reader: { load: (key: string) => Promise<unknown> };
      records: Record<string, (...args: never[]) => unknown>;
    };
    inside.redis = {
      ...redis,
      commands: {
        get: (key: string) => turn('redis get', () => commands.get(key)),
        set: (key: string, text: string, ex: 'EX', seconds: number) =>
          turn('redis set', () => commands.set(key, text, ex, seconds)),
        del: (key: string) => turn('redis del', () => commands.del(key)),
      },
    };
    const { reader, records } = inside;
    inside.reader = { load: (key) => turn('find', () => reader.load(key)) };
    inside.records = {
      collection: records['collection'] as never,
      updateOne: (...args) =>
        turn('update', () => Promise.resolve(records['updateOne']?.(...args))),
      deleteOne: (...args) =>
        turn('delete', () => Promise.resolve(records['deleteOne']?.(...args))),
      findById: (...args) => ({
        lean: () =>
          turn('find fan', () =>
            (records['findById']?.(...args) as { lean(): Promise<unknown> }).lean(),
          ),
      }),
    };
    return store;
  }

  it(
    'never comes back, in whatever order writing, touching, reading and ending reach the ' +
      'stores',
    async () => {
      const { fan } = await world.fan('fan2');
      const { sessions, fans } = world.context;
      const acts = fc.array(fc.constantFrom<Act>('write', 'touch', 'end', 'read', 'end all'), {
        minLength: 1,
        maxLength: 5,
      });
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), acts, fc.boolean(), async (s, others, cached) => {
          const sid = `session-${(number += 1)}`;
          const now = world.clock.now().getTime();
          const version = (await fans.require(fan._id)).version;
          await save(sessions, sid, {
            fan: fan._id,
            version,
            since: now,
            seenAt: now - 7_200_000,
          } as SessionData);
          if (!cached) await forget(sid);
          const store = stepwise(s);
          const act = async (kind: Act): Promise<void> => {
            if (kind === 'end') await new Promise((resolve) => store.destroy(sid, resolve));
            else if (kind === 'end all') await fans.signOutEverywhere(fan._id);
            else {
              const data = await store.read(sid);
              if (!data || kind === 'read') return;
              // As a request has it: read, and written at its end.
              const live = store.createSession({} as never, {
                ...data,
                cookie: new session.Cookie(),
              });
              await new Promise((resolve) => {
                if (kind === 'touch') store.touch(sid, live, () => resolve(null));
                else store.set(sid, live, resolve);
              });
            }
          };
          await s.waitFor(Promise.all([act('end'), ...others.map(act)]));
          expect(await sessions.read(sid), 'by the copy in Redis').to.equal(null);
          await forget(sid);
          expect(await sessions.read(sid), 'by MongoDB').to.equal(null);
          expect(
            await world.context.connection
              .collection('sessions')
              .countDocuments({ _id: sha256(sid) as never }),
          ).to.equal(0);
        }),
        { numRuns: 100 },
      );
    },
  );

  const save = (store: SessionStore, sid: string, data: SessionData): Promise<unknown> =>
    new Promise((resolve) => {
      store.set(sid, data, resolve);
    });
  async function forget(sid: string): Promise<void> {
    const { redis } = world.context;
    await redis.commands.del(`${redis.prefix}session:${await redis.runId()}:${sha256(sid)}`);
  }

  it('stays so although Redis kept an old copy of it', async () => {
    const { fan } = await world.fan('fan3');
    const { sessions, redis } = world.context;
    const key = `${redis.prefix}session:${await redis.runId()}:${sha256('kept')}`;
    await save(sessions, 'kept', {
      fan: fan._id,
      version: fan.version,
      since: world.clock.now().getTime(),
    } as SessionData);
    const copy = await redis.commands.get(key);
    expect(copy).to.be.a('string');
    await new Promise((resolve) => {
      sessions.destroy('kept', resolve);
    });
    await redis.commands.set(key, copy ?? '', 'EX', 600);
    expect(await sessions.read('kept')).to.equal(null);
  });

  it('says so to whoever writes to it, and a new one is stored once only', async () => {
    const { fan } = await world.fan('fan4');
    const { sessions } = world.context;
    const data = {
      fan: fan._id,
      version: fan.version,
      since: world.clock.now().getTime(),
    } as SessionData;
    expect(await save(sessions, 'late', data)).to.equal(undefined);
    await new Promise((resolve) => {
      sessions.destroy('late', resolve);
    });
    expect(await save(sessions, 'late', data)).to.include({ id: 'not_signed_in' });
    expect(await sessions.read('late')).to.equal(null);
  });
});

describe('a session of nobody yet', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  it('lasts ten minutes, as the login that it was made for, and Redis never hears of it', async () => {
    const { sessions, redis } = world.context;
    const login = {
      network: 'x',
      secret: {},
      at: world.clock.now().getTime(),
      returnTo: '/en',
      link: false,
    };
    await new Promise((resolve) => {
      sessions.set('visitor', { logins: { state: login } } as unknown as SessionData, resolve);
    });
    expect(await sessions.read('visitor')).to.have.property('logins');
    expect(await redis.commands.keys(`${redis.prefix}session:*`)).to.deep.equal([]);
    world.clock.advance(10 * 60_000);
    expect(await sessions.read('visitor')).to.equal(null);
  });
});
