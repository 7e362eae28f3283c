import { expect } from 'chai';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Search } from '../../server/athletes/search.js';
import { documentOf } from '../../server/athletes/search-document.js';
import { SearchIndex } from '../../server/athletes/search-index.js';
import { until } from '../support/until.js';
import { startWorld, type World } from '../support/world.js';

/** A road to the store that is shut, or swallows what is sent into it, until it is opened. */
class Gate {
  private readonly sockets = new Set<Socket>();
  private constructor(
    private readonly server: Server,
    readonly uri: string,
  ) {}

  static async make(how: 'refuses' | 'hangs'): Promise<Gate> {
    const store = new URL(process.env['MONGODB_URI'] ?? '');
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const uri = new URL(store);
    uri.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    if (!uri.searchParams.has('directConnection')) uri.searchParams.set('directConnection', 'true');
    const gate = new Gate(server, uri.href);
    server.on('connection', (socket) => {
      gate.sockets.add(
        socket.on('error', () => undefined).once('close', () => gate.sockets.delete(socket)),
      );
      if (gate.open) {
        const onward = connect(Number(store.port), store.hostname).on('error', () =>
          socket.destroy(),
        );
        gate.sockets.add(onward);
        socket.pipe(onward).pipe(socket);
        return;
      }
      if (how === 'refuses') socket.destroy();
    });
    return gate;
  }

  open = false;
  /** Cuts what goes through, and lets nothing more through. */
  shut(): void {
    this.open = false;
    for (const socket of this.sockets) socket.destroy();
  }
  async close(): Promise<void> {
    this.shut();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }
}

describe('the search thread', () => {
  let world: World;
  let folder: string;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    const people = await world.context.athletes.byIds(['athlete1', 'athlete2']);
    // What a hub keeps of the directory when it is stopped: then somebody objects, and somebody
    // comes.
    const index = new SearchIndex();
    index.put([...people.values()].map(documentOf));
    const [one] = people.values();
    folder = mkdtempSync(join(tmpdir(), 'village-search-'));
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, `search-${one?.revision ?? 0}.json`),
      index.save(one?.revision ?? 0),
    );
    await world.context.athletes.hide('athlete2', true);
  });
  after(async () => {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const found = async (search: Search): Promise<string[]> =>
    (await search.search({ q: '', limit: 20 })).items.map((item) => item.id).sort();

  for (const how of ['refuses', 'hangs'] as const)
    it(`catches up by itself though the store ${how} at its start, more than once`, async () => {
      const gate = await Gate.make(how);
      const search = new Search(
        { uri: gate.uri, name: world.context.config.mongodb.name, folder },
        pino({ level: 'silent' }),
      );
      try {
        search.start();
        await search.untilReady();
        expect(search.state()).to.deep.equal({
          ready: true,
          ageMs: null,
          failures: 0,
          athletes: 2,
        });
        expect(search.fresh).to.equal(true);
        expect(await found(search)).to.deep.equal(['athlete1', 'athlete2']);
        // Opened once more, and once more.
        await until(() => search.state().failures >= 2);
        gate.open = true;
        await until(async () => !(await found(search)).includes('athlete2'));
        expect(search.state().ageMs).to.be.a('number');
        expect(search.state().failures).to.equal(0);
        // The same after it had once been there.
        gate.shut();
        await until(() => search.state().failures >= 1);
        await world.context.athletes.hide('athlete2', false);
        gate.open = true;
        await until(async () => (await found(search)).includes('athlete2'));
      } finally {
        await world.context.athletes.hide('athlete2', true);
        await search.stop();
        await gate.close();
      }
    });

  it(
    'tells its age, and an index that has not asked for long answers only when the store does ' +
      'not',
    async () => {
      const state = {
        fresh: false,
        ready: true,
        search: () => Promise.resolve({ items: [{ id: 'old' }], total: 1, next: null }),
      };
      const { athletes } = world.context;
      Object.assign(athletes, { index: state });
      try {
        expect(await athletes.search({ q: 'maelle', limit: 5 })).to.include({
          partial: true,
          total: 1,
        });
        expect((await athletes.search({ q: 'maelle', limit: 5 })).items[0]?.id).to.equal(
          'athlete1',
        );
        const records = world.context.connection.model('Athlete');
        const find = records.find.bind(records);
        records.find = () => {
          throw new Error('the store is away');
        };
        const old = await athletes.search({ q: 'maelle', limit: 5 });
        records.find = find;
        expect(old.items[0]?.id).to.equal('old');
        state.fresh = true;
        expect((await athletes.search({ q: 'maelle', limit: 5 })).items[0]?.id).to.equal('old');
      } finally {
        Object.assign(athletes, { index: null });
      }
    },
  );
});

describe('the age of the search index', () => {
  let world: World;
  before(async () => {
    world = await startWorld({ search: true });
  });
  after(() => world.close());

  it('is told by readiness and metrics, and is none before the thread has asked', async () => {
    const readyz = async () =>
      (await (await fetch(`${world.url}/readyz`)).json()) as {
        ok: boolean;
        search: { ready: boolean; ageMs: number | null };
      };
    const metrics = async () =>
      (
        await fetch(`${world.url}/metrics`, {
          headers: { authorization: 'Bearer metrics-token-of-a-test' },
        })
      ).text();
    expect((await readyz()).search).to.deep.equal({
      ready: false,
      ageMs: null,
      failures: 0,
      athletes: 0,
    });
    expect(await metrics()).to.match(/^village_search_age_seconds Nan$/m);
    world.context.search?.start();
    await world.context.search?.untilReady();
    const { ok, search } = await readyz();
    expect([ok, search.ready]).to.deep.equal([true, true]);
    expect(search.ageMs).to.be.within(0, 10_000);
    expect(await metrics()).to.match(/^village_search_age_seconds \d/m);
  });
});
