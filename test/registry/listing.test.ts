import { expect } from 'chai';
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import { Listing, type VerifiedAccount } from '../../server/registry/listing.js';
import { accountModel } from '../../server/registry/account.model.js';
import { ATHLETE_FACTS } from '../../scripts/demo/content.js';
import { startWorld, type World } from '../support/world.js';

const HANDLES = ['athlete1', 'athlete2', 'athlete3', 'athlete4', 'athlete5'];
/** Longer than a change may be under way. */
const LONG_MS = 61_000;

/** The list as a process of its own keeps it, that hears no news and only looks at the counters. */
describe('the list of verified accounts', () => {
  let world: World;
  let other: Context;
  let listing: Listing;
  let now = 0;
  let read: { accounts: number; athletes: number };

  before(async () => {
    world = await startWorld({ deaf: true });
    await world.athletes();
    for (const handle of HANDLES) await world.verify(handle, 'x');
    other = await createContext(readConfig(world.env), 'other', {
      clock: world.clock,
      log: pino({ level: 'silent' }),
      search: false,
    });
    listing = new Listing(
      accountModel(other.connection),
      other.networks,
      other.athletes,
      other.changes,
      { now: () => now, wholeMs: Infinity },
    );
    for (const kind of ['registry', 'athletes'])
      other.changes.on(kind, () => {
        listing.forget();
      });
    count();
    expect(await handles()).to.deep.equal(HANDLES);
    expect(read).to.deep.equal({ accounts: 5, athletes: 5 });
  });
  after(async () => {
    await other.close();
    await world.close();
  });
  beforeEach(quiet);

  /** All that changed so far was long ago. */
  async function quiet(): Promise<void> {
    for (let look = 0; look < 2; look += 1) {
      later();
      listing.forget();
      await list();
    }
    read = { accounts: 0, athletes: 0 };
  }

  /** Counts the documents that the store answers this process. */
  function count(): void {
    read = { accounts: 0, athletes: 0 };
    for (const name of ['accounts', 'athletes'] as const) {
      const collection = other.connection.collection(name);
      const find = collection.find.bind(collection);
      Object.assign(collection, {
        find: (...given: Parameters<typeof find>) => {
          const cursor = find(...given);
          const toArray = cursor.toArray.bind(cursor);
          cursor.toArray = async () => {
            const found = await toArray();
            read[name] += found.length;
            return found;
          };
          return cursor;
        },
      });
    }
  }
  /** Some time passes, and the counters are looked at. */
  function later(ms = LONG_MS): void {
    now += ms;
    Object.assign(other.changes, { lookedAt: -Infinity });
  }
  const list = async (): Promise<VerifiedAccount[]> => [
    ...(await listing.read()).byAccount.values(),
  ];
  const handles = async (): Promise<string[]> => (await list()).map(({ handle }) => handle);
  const caseOf = async (athlete: string): Promise<string> => {
    const by = await world.moderator();
    const { items } = await world.context.registry.queue(by, 'verified');
    return items.find((file) => file.athlete === athlete)?._id ?? '';
  };
  const put = (slug: string, change: object): Promise<void> =>
    world.context.athletes.put(
      ATHLETE_FACTS.filter((facts) => facts.slug === slug).map((facts) => ({
        ...facts,
        ...change,
      })),
    );

  it('reads nothing while nothing changes, for as long as it likes', async () => {
    for (let minute = 0; minute < 5; minute += 1) {
      later();
      listing.forget();
      expect(await list()).to.have.length(5);
    }
    expect(read).to.deep.equal({ accounts: 0, athletes: 0 });
  });

  it('reads the one account that was decided about, and its athlete, though the news was lost', async () => {
    const by = await world.moderator();
    await world.context.registry.revoke(by, await caseOf('athlete2'), 'sold');
    expect(await handles(), 'not looked at yet').to.deep.equal(HANDLES);
    later();
    expect(await handles()).to.deep.equal(['athlete1', 'athlete3', 'athlete4', 'athlete5']);
    expect(read).to.deep.equal({ accounts: 1, athletes: 1 });
    await quiet();
    await world.verify('athlete6', 'x');
    later();
    const listed = HANDLES.filter((handle) => handle !== 'athlete2');
    expect(await handles()).to.deep.equal([...listed, 'athlete6']);
    expect(read).to.deep.equal({ accounts: 1, athletes: 1 });
  });

  it('shows another name, other disciplines, a hidden athlete and one who is shown again', async () => {
    await put('athlete3', { name: 'Another Name', disciplines: ['judo'] });
    later();
    const changed = (await list()).find(({ handle }) => handle === 'athlete3');
    expect(changed?.athlete).to.deep.include({ name: 'Another Name', disciplines: ['judo'] });
    expect(read).to.deep.equal({ accounts: 0, athletes: 1 });
    for (const hidden of [true, false]) {
      await world.context.athletes.hide('athlete4', hidden);
      later();
      expect((await handles()).includes('athlete4')).to.equal(!hidden);
    }
  });

  it('finds what was numbered before a look and written after it', async () => {
    const { changes, athletes, settings } = world.context;
    const accounts = world.context.connection.collection('accounts');
    const people = world.context.connection.collection<{ _id: string }>('athletes');
    const changed = await changes.mark('registry');
    const revision = await settings.next('athletes.revision');
    later(1000);
    await list();
    await accounts.updateOne({ handle: 'athlete5' }, { $set: { handle: 'later', changed } });
    await people.updateOne({ _id: 'athlete5' }, { $set: { name: 'Later', revision } });
    await changes.mark('registry');
    later(1000);
    const found = (await list()).find(({ handle }) => handle === 'later');
    expect(found?.athlete.name).to.equal('Later');
    expect(await athletes.bySlug('athlete5')).to.not.equal(null);
  });

  it('reads all again after some minutes, whatever was written too late to be found', async () => {
    const healing = new Listing(
      accountModel(other.connection),
      other.networks,
      other.athletes,
      other.changes,
      { now: () => now },
    );
    const shows = async (handle: string): Promise<boolean> =>
      [...(await healing.read()).byAccount.values()].some((account) => account.handle === handle);
    expect(await shows('athlete3')).to.equal(true);
    // Numbered long ago, written only now.
    await world.context.connection
      .collection('accounts')
      .updateOne({ handle: 'athlete3' }, { $set: { handle: 'late', changed: 1 } });
    later();
    healing.forget();
    expect(await shows('late'), 'by what changed alone it is not found').to.equal(false);
    later(5 * LONG_MS);
    healing.forget();
    expect(await shows('late')).to.equal(true);
    await world.context.connection
      .collection('accounts')
      .updateOne({ handle: 'late' }, { $set: { handle: 'athlete3' } });
  });

  it('reads all anew when the count went back, and when more changed than is worth sorting out', async () => {
    await world.context.settings.set('changed.registry', 1);
    later();
    expect(await list()).to.have.length(5);
    expect(read.accounts).to.equal(5);
    const many = Array.from({ length: 1100 }, (_each, n) => ({
      ...(ATHLETE_FACTS[0] as (typeof ATHLETE_FACTS)[number]),
      sourceId: `many${n}`,
      slug: `many${n}`,
    }));
    await world.context.athletes.put([
      ...many,
      ...ATHLETE_FACTS.filter(({ slug }) => slug === 'athlete1').map((facts) => ({
        ...facts,
        name: 'Named Anew',
      })),
    ]);
    later();
    expect((await list()).map(({ athlete }) => athlete.name)).to.include('Named Anew');
  });
});
