import type { Command } from './command.js';
import { headOf, type Head } from './entry.js';
import type { EntryWriter } from './entry-writer.js';
import { attemptOf, decide, unwrittenOutcome, type Snapshot } from './plan.js';
import { answer, type Answer, type Attempt, type Submission } from './submission.js';

/** The most entries that one fan gets from one flush. */
const CHAIN_LIMIT = 500;
/** Entries of one insert of a chain: while the store writes them, the next ones are decided. */
const PART_LIMIT = 250;

/** Entries of one fan, each behind the one before it, and the commands that need none. */
export interface ChainPart {
  entries: Attempt[];
  /** They rest on the heads that these entries make. */
  answers: Answer[];
}

/**
 * Decides on many commands of one fan, in order, a part at a time and not before it is asked for.
 */
export function* planChain(submission: Submission, snapshot: Snapshot): Generator<ChainPart> {
  const { fan, commands, outcomes } = submission;
  const stands = snapshot.stands.get(fan);
  let head = snapshot.heads.get(fan) as Head;
  let left = CHAIN_LIMIT;
  let index = 0;
  while (index < commands.length && left > 0) {
    const part: ChainPart = { entries: [], answers: [] };
    for (; index < commands.length && left > 0; index += 1) {
      if (part.entries.length === PART_LIMIT) break;
      if (outcomes[index]) continue;
      const decision = decide(commands[index] as Command, head, stands?.[index] ?? false, snapshot);
      if (decision.kind === 'write') {
        part.entries.push(attemptOf(submission, index, decision));
        head = headOf(decision.entry);
        left -= 1;
      } else part.answers.push({ submission, index, outcome: unwrittenOutcome(decision) });
    }
    yield part;
  }
}

/**
 * Writes the parts of a chain, each as one ordered insert. A part is sent when all before it is
 * stored, and the next is decided meanwhile. Behind the first refusal nothing more is sent: a later
 * flush decides on the rest anew. Throws as the store does, when nothing is on its way any more.
 */
export async function writeChain(parts: Iterable<ChainPart>, writer: EntryWriter): Promise<void> {
  let sent: SentPart | null = null;
  try {
    for (const part of parts) {
      if (sent && !(await isStored(sent, writer))) return;
      sent = { ...part, refused: writer.send(part.entries, true) };
      sent.refused.catch(() => undefined);
      // It leaves before the next part is decided.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (sent) await isStored(sent, writer);
  } finally {
    await sent?.refused.catch(() => undefined);
  }
}

type SentPart = ChainPart & { refused: ReturnType<EntryWriter['send']> };

/** Waits until a part is stored, as a whole or up to the first refusal, and reconciles it. */
async function isStored(part: SentPart, writer: EntryWriter): Promise<boolean> {
  const refused = await part.refused;
  await writer.reconcile(part.entries, refused);
  if (refused.size > 0) return false;
  answer(part.answers);
  return true;
}
