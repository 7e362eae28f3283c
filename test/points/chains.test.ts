import { expect } from 'chai';
import { writeChain, type ChainPart } from '../../server/points/chains.js';
import { NO_HEAD } from '../../server/points/entry.js';
import type { EntryWriter, Refused } from '../../server/points/entry-writer.js';
import type { Attempt, Submission } from '../../server/points/submission.js';

/** Three parts of two entries each, with an answer behind each part, and what happens to them. */
describe('the writing of a chain', () => {
  let events: string[] = [];
  let outcomes: Submission['outcomes'] = [];

  function* parts(): Generator<ChainPart> {
    const submission = { outcomes } as Submission;
    for (const index of [0, 1, 2]) {
      events.push(`decided ${index}`);
      const entries = [{ index }, { index }] as Attempt[];
      const outcome = {
        ...{ entry: null, turn: index, head: NO_HEAD, before: {}, limited: null, dropped: false },
      };
      yield { entries, answers: [{ submission, index, outcome }] };
    }
  }
  /** A store that answers when it is let. */
  const answers: ((refused: Refused | Error) => void)[] = [];
  const writer = {
    send: ([entry]: Attempt[], ordered: boolean) => {
      events.push(`sent ${entry?.index}${ordered ? '' : ' without order'}`);
      return new Promise<Refused>((resolve, reject) => {
        answers.push((refused) => {
          if (refused instanceof Error) reject(refused);
          else resolve(refused);
        });
      });
    },
    reconcile: ([entry]: Attempt[], refused: Refused) => {
      events.push(`reconciled ${entry?.index}, ${refused.size} refused`);
      return Promise.resolve();
    },
  } as unknown as EntryWriter;
  const settle = (): Promise<void> =>
    new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const turns = (): (number | undefined)[] => outcomes.map((outcome) => outcome?.turn);

  beforeEach(() => {
    events = [];
    outcomes = [null, null, null];
    answers.length = 0;
  });

  it('decides on a part while the one before it is stored, and sends it when that is done', async () => {
    const done = writeChain(parts(), writer);
    await settle();
    expect(events).to.deep.equal(['decided 0', 'sent 0', 'decided 1']);
    expect(turns()).to.deep.equal([undefined, undefined, undefined]);
    answers[0]?.(new Set());
    await settle();
    expect(events.slice(3)).to.deep.equal(['reconciled 0, 0 refused', 'sent 1', 'decided 2']);
    expect(turns()).to.deep.equal([0, undefined, undefined]);
    answers[1]?.(new Set());
    await settle();
    answers[2]?.(new Set());
    await done;
    expect(turns()).to.deep.equal([0, 1, 2]);
  });

  it('sends nothing more behind a refusal, and answers nothing that was decided behind it', async () => {
    const done = writeChain(parts(), writer);
    await settle();
    answers[0]?.(new Set([1]));
    await done;
    expect(events).to.deep.equal(['decided 0', 'sent 0', 'decided 1', 'reconciled 0, 1 refused']);
    expect(turns()).to.deep.equal([undefined, undefined, undefined]);
  });

  it('fails as the store does, and sends nothing more', async () => {
    const done = writeChain(parts(), writer);
    await settle();
    answers[0]?.(new Error('away'));
    expect(await done.catch((error: unknown) => (error as Error).message)).to.equal('away');
    expect(events).to.deep.equal(['decided 0', 'sent 0', 'decided 1']);
  });

  it('fails only when nothing is on its way any more', async () => {
    const faulty = function* (): Generator<ChainPart> {
      yield* [...parts()].slice(0, 1);
      throw new Error('ours');
    };
    let isDone = false;
    const done = writeChain(faulty(), writer)
      .catch((error: unknown) => (error as Error).message)
      .finally(() => {
        isDone = true;
      });
    await settle();
    expect(isDone).to.equal(false);
    answers[0]?.(new Set());
    expect(await done).to.equal('ours');
  });
});
