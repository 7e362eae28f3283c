import { expect } from 'chai';
import mongoose from 'mongoose';
import { VillageError } from '../../server/errors.js';
import type { Command, Outcome } from '../../server/points/command.js';
import { NO_HEAD } from '../../server/points/entry.js';
import { GroupCommit, type UnsureFan } from '../../server/points/group-commit.js';
import type { Attempt, Submission } from '../../server/points/submission.js';
import { HOUR, TestClock } from '../support/world.js';

const commandFor = (fan: string, deed = 'd'): Command => ({
  ...{ fan, deed, want: 'give' },
  facts: { account: '1', on: 'account', athlete: 'a', disciplines: [] },
  ...{
    cause: 'hub_click',
    act: null,
    card: 'x@1:hub',
    link: null,
    evidence: null,
    askedAt: new Date(),
  },
});
const OUTCOME: Outcome = {
  ...{ entry: null, turn: 1, head: NO_HEAD, before: {}, limited: null, dropped: false },
};
const away = (): Error => new mongoose.mongo.MongoNetworkError('away');

describe('group commit', () => {
  /** What each flush was given, and what becomes of it. */
  let flushes: string[][] = [];
  let flush: (submissions: Submission[], now: Date) => Promise<void> | void;
  let unsure: UnsureFan[] = [];
  const settle = (submissions: Submission[]): void => {
    for (const { outcomes } of submissions) outcomes.fill(OUTCOME);
  };
  const start = (clock = new TestClock()): GroupCommit =>
    new GroupCommit(
      clock,
      async (submissions, now) => {
        flushes.push(submissions.map(({ fan, commands }) => `${fan}${commands[0]?.deed}`));
        await flush(submissions, now);
      },
      (fans) => {
        unsure.push(...fans);
      },
    );
  const submit = (commits: GroupCommit, fan: string, deed = 'd'): Promise<Outcome[]> =>
    commits.submit(fan, [commandFor(fan, deed)]);
  const failure = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => null,
      (error: unknown) => error,
    );

  beforeEach(() => {
    flushes = [];
    unsure = [];
    flush = settle;
  });

  it('flushes together what comes together, one submission a fan, first come, first served', async () => {
    const commits = start();
    await Promise.all([
      submit(commits, 'a', '1'),
      submit(commits, 'b', '1'),
      submit(commits, 'a', '2'),
      submit(commits, 'a', '3'),
    ]);
    await commits.idle();
    expect(flushes).to.deep.equal([['a1', 'b1'], ['a2'], ['a3']]);
  });

  it('flushes at most 400 submissions at once', async () => {
    const commits = start();
    await Promise.all(
      Array.from({ length: 900 }, (_submission, index) => submit(commits, `fan${index}`)),
    );
    expect(flushes.map(({ length }) => length)).to.deep.equal([400, 400, 100]);
  });

  it('flushes again, before all others, what a flush left open', async () => {
    const commits = start();
    flush = (submissions) => {
      settle(flushes.length === 1 ? submissions.slice(1) : submissions);
      if (flushes.length === 1) void submit(commits, 'late');
    };
    await Promise.all([submit(commits, 'a'), submit(commits, 'b')]);
    await commits.idle();
    expect(flushes).to.deep.equal([
      ['ad', 'bd'],
      ['ad', 'lated'],
    ]);
  });

  it('tries again when the store did not answer, and says nothing of it', async () => {
    const commits = start();
    flush = (submissions) => {
      if (flushes.length === 1) throw away();
      settle(submissions);
    };
    expect(await submit(commits, 'a')).to.deep.equal([OUTCOME]);
    expect([flushes.length, unsure]).to.deep.equal([2, []]);
  });

  it('answers 503 when the patience ends, and names the fans of whom something was sent', async () => {
    const commits = start();
    flush = (submissions) => {
      for (const { fan, attempts, until } of submissions) {
        if (fan === 'sent') attempts[0]?.push({} as Attempt);
        expect(until - performance.now()).to.be.at.most(2000);
      }
      for (const submission of submissions) submission.until = -1;
      throw away();
    };
    const errors = await Promise.all(
      ['sent', 'unsent'].map((fan) => failure(submit(commits, fan))),
    );
    for (const error of errors)
      expect([(error as VillageError).id, flushes.length]).to.deep.equal(['unavailable', 1]);
    expect(unsure.map(({ fan }) => fan)).to.deep.equal(['sent']);
  });

  it('passes on any other failure at once, and names every fan of the flush', async () => {
    const commits = start();
    const fault = new Error('ours');
    flush = () => {
      throw fault;
    };
    const errors = await Promise.all(['a', 'b'].map((fan) => failure(submit(commits, fan))));
    expect(errors).to.deep.equal([fault, fault]);
    expect(unsure.map(({ fan }) => fan)).to.deep.equal(['a', 'b']);
    flush = settle;
    expect(await submit(commits, 'a')).to.deep.equal([OUTCOME]);
  });

  it('takes 20,000 submissions and answers 503 to the next one', async () => {
    const commits = start();
    const waiting = Array.from({ length: 20_000 }, (_submission, index) =>
      submit(commits, `fan${index}`),
    );
    expect(((await failure(submit(commits, 'late'))) as VillageError).id).to.equal('busy');
    expect((await Promise.all(waiting)).length).to.equal(20_000);
  });

  it('is clear up to what waits or is in flight, by the clock that its entries bear', async () => {
    const clock = new TestClock();
    const commits = start(clock);
    const came = clock.now().getTime();
    let clearTo = Infinity;
    let written = 0;
    flush = (submissions, now) => {
      written = now.getTime();
      // Set right again while the insert is on its way.
      clock.advance(HOUR);
      clearTo = commits.clearTo;
      settle(submissions);
    };
    const submitted = submit(commits, 'a');
    expect(commits.clearTo).to.be.at.most(clock.now().getTime());
    clock.advance(-HOUR);
    await submitted;
    expect(written).to.be.below(came);
    expect(clearTo).to.equal(written);
    await commits.idle();
    expect(commits.clearTo).to.be.at.least(came);
  });
});
