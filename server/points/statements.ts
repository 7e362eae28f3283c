import type { Connection, Model } from 'mongoose';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Entry } from './entry.js';
import { entryModel } from './entry.model.js';
import { isGive, turnKey, Turns } from './turns.js';

/**
 * The most deeds of a fan that are read together with those of others: a whole link at once would
 * keep them waiting.
 */
const FEW_DEEDS = 20;

/** Where a deed is: its last turn, and how that was decided. */
export interface DeedState {
  turn: number;
  card: string;
  askedAt: Date;
  cause: string;
}
/** The fields of an entry that make a `DeedState`, besides its turn. */
const STATE_FIELDS = ['card', 'askedAt', 'cause'] as const;

/** Deeds of one fan that somebody asks about. */
interface DeedQuery {
  fan: string;
  deeds: string[];
}

/** Reads the statements of fans: what the ledger has, and nothing counted from it. */
export class Statements {
  private readonly entries: Model<Entry>;
  private readonly turns: Turns;
  private readonly states = new BatchLoader((queries: DeedQuery[]) => this.readStates(queries));

  constructor(connection: Connection) {
    this.entries = entryModel(connection);
    this.turns = new Turns(connection);
  }

  /** See `Points.turns`. */
  async lastTurns(fan: string, deeds: string[]): Promise<Map<string, DeedState>> {
    if (deeds.length === 0) return new Map();
    const query = { fan, deeds };
    const states =
      deeds.length > FEW_DEEDS
        ? (await this.readStates([query])).get(query)
        : await this.states.load(query);
    return states ?? new Map<string, DeedState>();
  }

  private async readStates(queries: DeedQuery[]): Promise<Map<DeedQuery, Map<string, DeedState>>> {
    const turns = await this.turns.find(deedsByFan(queries), STATE_FIELDS);
    return new Map(
      queries.map((query) => {
        const states = new Map<string, DeedState>();
        for (const deed of query.deeds) {
          const last = turns.get(turnKey(query.fan, deed))?.at(-1);
          if (last) states.set(deed, stateOf(last));
        }
        return [query, states] as const;
      }),
    );
  }

  /** See `Points.heldAt`. */
  async heldAt(queries: (DeedQuery & { seq: number })[]): Promise<Set<string>[]> {
    const turns = await this.turns.find(deedsByFan(queries), ['seq']);
    const isHeldAt = (fan: string, deed: string, seq: number): boolean => {
      const last = turns.get(turnKey(fan, deed))?.findLast((turn) => turn.seq <= seq);
      return isGive(last?.turn ?? 0);
    };
    return queries.map(
      ({ fan, deeds, seq }) => new Set(deeds.filter((deed) => isHeldAt(fan, deed, seq))),
    );
  }

  /** See `Points.deeds`. */
  async deeds(fans: string[]): Promise<Map<string, Map<string, DeedState>>> {
    const states = new Map<string, Map<string, DeedState>>(fans.map((fan) => [fan, new Map()]));
    const found = this.entries.collection.find<Entry>(
      { fan: { $in: fans } },
      {
        projection: { _id: 0, fan: 1, deed: 1, turn: 1, card: 1, askedAt: 1, cause: 1 },
        readConcern: { level: 'majority' },
      },
    );
    for await (const entry of found) {
      const deeds = states.get(entry.fan);
      if (deeds && (deeds.get(entry.deed)?.turn ?? 0) < entry.turn)
        deeds.set(entry.deed, stateOf(entry));
    }
    return states;
  }

  /** See `Points.heldCount`. */
  async heldCount(prefix: string): Promise<number> {
    const [sum] = await this.entries.aggregate<{ n: number }>([
      { $match: { deed: { $gte: prefix, $lt: `${prefix}\uffff` } } },
      { $group: { _id: null, n: { $sum: '$delta' } } },
    ]);
    return sum?.n ?? 0;
  }

  /** See `Points.statement`. */
  async page(fan: string, limit: number, before?: number): Promise<Entry[]> {
    return this.entries
      .find({ fan, ...(before !== undefined ? { seq: { $lt: before } } : {}) }, { _id: 0 })
      .sort({ seq: -1 })
      .limit(limit)
      .lean<Entry[]>();
  }
}

const stateOf = ({ turn, card, askedAt, cause }: DeedState): DeedState => ({
  turn,
  card,
  askedAt,
  cause,
});

/** All deeds that are asked about, by fan. */
function deedsByFan(queries: DeedQuery[]): Map<string, Set<string>> {
  const wanted = new Map<string, Set<string>>();
  for (const { fan, deeds } of queries) {
    const known = wanted.get(fan);
    if (known) for (const deed of deeds) known.add(deed);
    else wanted.set(fan, new Set(deeds));
  }
  return wanted;
}
