import { expect } from 'chai';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import mongoose from 'mongoose';
import { pino } from 'pino';
import { root } from '../../scripts/root.js';
import { readConfig } from '../../server/config.js';
import { createContext, type Context } from '../../server/context.js';
import { isStoreAway } from '../../server/platform/mongo.js';
import type { CaseFile, Decision } from '../../server/registry/case.model.js';
import { outcomeOf, readQuorum } from '../../server/registry/quorum.js';
import type { Actor } from '../../server/registry/service.js';
import { startWorld, type World } from '../support/world.js';

describe('what signatures come to', () => {
  for (const [signed, quorum, outcome] of [
    [[], 1, null],
    [['grant'], 1, 'granted'],
    [['refuse'], 1, 'refused'],
    [['fake'], 1, 'fake'],
    [['grant'], 2, null],
    [['refuse'], 2, null],
    [['grant', 'grant'], 2, 'granted'],
    [['refuse', 'refuse'], 2, 'refused'],
    [['fake', 'fake'], 2, 'fake'],
    // Refused by both; that the public is warned takes both too.
    [['fake', 'refuse'], 2, 'refused'],
    [['grant', 'refuse'], 2, null],
    [['grant', 'refuse', 'grant'], 2, 'granted'],
    [['grant', 'fake', 'fake'], 2, 'fake'],
  ] as [Decision[], number, string | null][])
    it(`is ${outcome ?? 'nothing yet'} for ${signed.join(', ') || 'none'} of ${quorum}`, () => {
      expect(
        outcomeOf(
          signed.map((decision, index) => ({ by: `moderator${index}`, decision })),
          quorum,
        ),
      ).to.equal(outcome);
    });
});

describe('cases', () => {
  let world: World;
  let first: Actor;
  let second: Actor;
  let third: Actor;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    const moderator = async (handle: string): Promise<Actor> => {
      const { fan } = await world.fan(handle, { role: 'moderator' });
      return { id: fan._id, roles: fan.roles };
    };
    first = await moderator('moderator1');
    second = await moderator('moderator2');
    third = await moderator('moderator3');
  });
  after(() => world.close());
  afterEach(() => world.context.settings.set('registry.quorum', 1));

  const open = (athlete: string, by = first, account = `x:${athlete}`): Promise<CaseFile> =>
    world.context.registry.submit(by, account, athlete);
  const sign = (
    { _id }: CaseFile,
    by: Actor,
    decision: Decision = 'grant',
    context: Context = world.context,
  ): Promise<CaseFile> =>
    context.registry.decide(by, _id, { decision, reason: `${decision} it is` });
  const read = ({ _id }: CaseFile): Promise<CaseFile> => world.context.registry.requireCase(_id);
  const lines = async ({ account }: CaseFile): Promise<string[]> =>
    (await world.context.audit.about(`account:${account._id}`)).map(({ act }) => act);
  const refusal = (attempt: Promise<unknown>): Promise<unknown> =>
    attempt.then(
      () => null,
      (error: unknown) => (error as { id?: string }).id ?? error,
    );
  const lookup = async (account: string) => (await world.context.registry.lookup(account)).result;

  describe('under a quorum of two', () => {
    it('stay open at the first signature and are decided by the second; nobody signs twice', async () => {
      await world.context.settings.set('registry.quorum', 2);
      const opened = await open('athlete1');
      const { account } = await sign(opened, first);
      expect(account).to.include({ state: 'candidate', epoch: 0, since: null });
      expect(await lookup('x:athlete1')).to.not.equal('listed');
      expect(await refusal(sign(opened, first))).to.equal('already_decided');
      const decided = await sign(opened, second);
      expect(decided.state).to.equal('granted');
      expect(decided.signatures.map(({ by, decision }) => [by, decision])).to.deep.equal([
        [first.id, 'grant'],
        [second.id, 'grant'],
      ]);
      expect(decided.outcome).to.include({ as: 'granted', by: second.id, reason: 'grant it is' });
      expect(decided.account).to.include({ state: 'verified', epoch: 1, signers: 2 });
      expect((await world.context.registry.lookup('x:athlete1')).evidence).to.include({ by: 2 });
      expect(await lines(opened)).to.deep.equal([
        'account.granted',
        'account.granted',
        'account.submitted',
      ]);
    });

    it('are decided by two who agree in the end: the last signature of each counts', async () => {
      await world.context.settings.set('registry.quorum', 2);
      const opened = await open('athlete8', first, 'facebook:athlete8');
      await sign(opened, first, 'refuse');
      expect((await sign(opened, second)).state).to.equal('open');
      const decided = await sign(opened, first);
      expect(decided.state).to.equal('granted');
      expect(decided.signatures.map(({ decision }) => decision)).to.deep.equal([
        'refuse',
        'grant',
        'grant',
      ]);
      expect(decided.account).to.include({ state: 'verified', signers: 2 });
    });

    it('ask for one moderator where the setting is no number that can be meant', async () => {
      for (const wrong of [0, -1, 1.5, 'two']) {
        await world.context.settings.set('registry.quorum', wrong);
        expect(await readQuorum(world.context.settings), String(wrong)).to.equal(1);
      }
    });

    it('stay open where the two disagree, and the third decides', async () => {
      await world.context.settings.set('registry.quorum', 2);
      const opened = await open('athlete2');
      await sign(opened, first, 'fake');
      expect((await sign(opened, second, 'grant')).state).to.equal('open');
      expect(await lookup('x:athlete2')).to.not.equal('listed');
      const decided = await sign(opened, third, 'refuse');
      // One of three called it a fake: it is refused, and the public is not warned.
      expect([decided.state, decided.account.state, decided.account.warning]).to.deep.equal([
        'refused',
        'refused',
        null,
      ]);
      expect(decided.signatures).to.have.length(3);
    });

    it('keep the quorum under which they were opened', async () => {
      const opened = await open('athlete3');
      await world.context.settings.set('registry.quorum', 3);
      expect((await sign(opened, first)).state).to.equal('granted');
    });
  });

  it('keep every signature: a revocation stands beside them, and a new claim is another case', async () => {
    const opened = await open('athlete4');
    await sign(opened, first);
    const { registry } = world.context;
    await registry.revoke(second, opened._id, 'sold');
    const again = await open('athlete4', second);
    expect(again._id).to.not.equal(opened._id);
    expect(again.account._id).to.equal(opened.account._id);
    const kept = await read(opened);
    expect(kept.signatures).to.have.length(1);
    expect(kept.outcome).to.include({ as: 'granted', by: first.id });
    expect(kept.revocation).to.include({ by: second.id, reason: 'sold' });
    // It is in no queue any more, and decides nothing any more.
    for (const state of ['candidate', 'verified', 'refused', 'revoked'] as const) {
      const { items } = await registry.queue(first, state);
      expect(items.map(({ _id }) => _id)).to.not.include(opened._id);
    }
    expect(await refusal(sign(opened, third))).to.equal('already_decided');
    expect(await refusal(registry.revoke(third, opened._id, 'again'))).to.equal('already_decided');
    expect((await sign(again, third)).account).to.include({ state: 'verified', epoch: 3 });
    expect(await refusal(registry.revoke(third, opened._id, 'again'))).to.equal('already_decided');
    expect((await read(again)).account.state).to.equal('verified');
  });

  it(
    'of an account that was claimed for a hidden athlete are shown to nobody, the old and the ' +
      'new one',
    async () => {
      const opened = await open('athlete5', first, 'x:fan5');
      await sign(opened, first, 'refuse');
      const again = await open('athlete6', first, 'x:fan5');
      const { athletes } = world.context;
      await athletes.hide('athlete6', true);
      for (const file of [opened, again])
        expect(await refusal(read(file))).to.equal('account_not_found');
      await athletes.hide('athlete6', false);
      await athletes.hide('athlete5', true);
      expect(await refusal(read(opened))).to.equal('account_not_found');
      expect((await read(again)).athlete).to.equal('athlete6');
      await athletes.hide('athlete5', false);
    },
  );

  it('of one account are one, however many submit it at once', async () => {
    const other = await anotherProcess(world);
    const made = await Promise.all(
      [world.context, other, world.context, other].map((context) =>
        context.registry
          .submit(first, 'x:athlete7', 'athlete7')
          .catch((error: unknown) => error as { id: string; extra: { case: string } }),
      ),
    );
    const opened = made.filter((file): file is CaseFile => 'account' in file);
    expect(opened).to.have.length(1);
    expect(
      made.filter((file) => 'extra' in file).map(({ id, extra }) => [id, extra.case]),
    ).to.deep.equal(Array(3).fill(['account_taken', opened[0]?._id]));
    await sign(opened[0] as CaseFile, second, 'refuse');
    const again = await Promise.allSettled([
      open('athlete7'),
      other.registry.submit(second, 'x:athlete7', 'athlete7'),
    ]);
    await other.close();
    expect(again.map(({ status }) => status).sort()).to.deep.equal(['fulfilled', 'rejected']);
    const records = world.context.connection.collection('cases');
    const account = opened[0]?.account._id;
    expect(await records.countDocuments({ account })).to.equal(2);
    expect(await records.countDocuments({ account, state: 'open' })).to.equal(1);
  });

  it('are decided by one of two who decide at once, with one line in the log', async () => {
    const other = await anotherProcess(world);
    for (const [round, athlete] of ['athlete8', 'athlete9', 'athlete10'].entries()) {
      const opened = await open(athlete);
      const both = await Promise.allSettled([
        sign(opened, first, 'grant'),
        sign(opened, second, 'refuse', round === 0 ? world.context : other),
      ]);
      expect(both.map(({ status }) => status).sort()).to.deep.equal(['fulfilled', 'rejected']);
      const { state, signatures } = await read(opened);
      expect(signatures).to.have.length(1);
      expect(await lines(opened)).to.deep.equal([
        state === 'granted' ? 'account.granted' : 'account.refused',
        'account.submitted',
      ]);
    }
    await other.close();
  });

  it('are both decided by two who sign at once where two must agree', async () => {
    await world.context.settings.set('registry.quorum', 2);
    const opened = await open('athlete11');
    await Promise.all([sign(opened, first), sign(opened, second)]);
    expect(await read(opened)).to.include({ state: 'granted' });
    expect((await read(opened)).account).to.include({ epoch: 1 });
    expect(await lines(opened)).to.have.length(3);
  });

  /** Has the log fail so many times, after all else was written. */
  function failLog(error: Error, times: number): () => void {
    const { audit } = world.context;
    const add = audit.add.bind(audit);
    let left = times;
    audit.add = async (line, session) => {
      await add(line, session);
      left -= 1;
      if (left >= 0) throw error;
    };
    return () => {
      audit.add = add;
    };
  }

  it('are as before, account and log, when the line of the log cannot be written', async () => {
    const opened = await open('athlete12');
    const mend = failLog(new Error('injected'), 1);
    expect(await refusal(sign(opened, first))).to.include({ message: 'injected' });
    expect(await refusal(open('athlete5'))).to.equal(null);
    mend();
    expect(await read(opened)).to.deep.equal(opened);
    expect(await lines(opened)).to.deep.equal(['account.submitted']);
    await sign(opened, first);
    const verified = await read(opened);
    const again = failLog(new Error('injected'), 1);
    const { registry } = world.context;
    expect(await refusal(registry.revoke(first, opened._id, 'sold'))).to.include({
      message: 'injected',
    });
    again();
    expect(await read(opened)).to.deep.equal(verified);
  });

  it('are told of once when the store has the decision begun again', async () => {
    const opened = await open('athlete1', first, 'facebook:athlete1');
    const told: string[] = [];
    const off = world.context.bus.on('registry:changed', ({ account }) => {
      told.push(account);
    });
    const conflict = new mongoose.mongo.MongoNetworkError('injected');
    conflict.addErrorLabel('TransientTransactionError');
    const mend = failLog(conflict, 2);
    await sign(opened, first);
    mend();
    off();
    expect(told).to.deep.equal([opened.account.accountId]);
    expect((await read(opened)).signatures).to.have.length(1);
    expect((await read(opened)).account.epoch).to.equal(1);
    expect(await lines(opened)).to.deep.equal(['account.granted', 'account.submitted']);
  });

  it(
    'are as before when the process that decides is killed between the decision and its line; ' +
      'others go on meanwhile',
    async function () {
      this.timeout(60_000);
      const opened = await open('athlete2', first, 'facebook:athlete2');
      const other = await open('athlete3', first, 'facebook:athlete3');
      const child = fork(join(root, 'test', 'support', 'decider.ts'), [opened._id, second.id], {
        env: { ...process.env, ...world.env },
        execArgv: ['--import=tsx'],
        stdio: 'ignore',
      });
      const [{ session }] = (await once(child, 'message')) as [{ session: string }];
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(await read(opened)).to.deep.equal(opened);
      expect(await lines(opened)).to.deep.equal(['account.submitted']);
      expect(await sign(other, first)).to.include({ state: 'granted' });
      // Nobody ended the dead process's transaction: what it wrote is kept from others until the store
      // gives it up, after a minute, and whoever decides meanwhile is told to come back.
      expect(isStoreAway(await refusal(sign(opened, first)))).to.equal(true);
      const id = new mongoose.mongo.Binary(Buffer.from(session, 'hex'), 4);
      await world.context.connection.db?.admin().command({ killSessions: [{ id }] });
      expect((await sign(opened, first)).account).to.include({ state: 'verified', epoch: 1 });
      expect(await lines(opened)).to.deep.equal(['account.granted', 'account.submitted']);
    },
  );
});

/** A second process of the hub, that hears no news of the first. */
async function anotherProcess(world: World): Promise<Context> {
  return createContext(readConfig(world.env), 'other', {
    clock: world.clock,
    log: pino({ level: 'silent' }),
    search: false,
  });
}
