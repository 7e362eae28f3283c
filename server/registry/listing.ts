import type { Model } from 'mongoose';
import type { AthleteRecord, Athletes } from '../athletes/service.js';
import type { NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import { CountBefore, type Changes } from '../platform/changes.js';
import { SwrCache } from '../platform/swr-cache.js';
import { EARNS, type AccountRecord } from './account.model.js';

/** A verified account with what points need to know of its athlete. */
export interface VerifiedAccount {
  id: string;
  network: NetworkId;
  accountId: string;
  handle: string;
  url: string;
  since: Date;
  epoch: number;
  athlete: { id: string; slug: string; name: string; disciplines: string[] };
}
type Listed = Readonly<{
  byAthlete: ReadonlyMap<string, VerifiedAccount[]>;
  byAccount: ReadonlyMap<string, VerifiedAccount>;
}>;
type Person = VerifiedAccount['athlete'];
type Row = Pick<
  AccountRecord,
  '_id' | 'network' | 'accountId' | 'handle' | 'epoch' | 'athlete' | 'state'
> & { since: Date };

/** What tests steer. */
interface ListingTiming {
  /** A clock that is never set, in ms. */
  now?: () => number;
  /** How often all is read again, in ms. */
  wholeMs?: number;
}

/** What a process knows. */
interface Known {
  /** Verified accounts by id, also those of hidden athletes. */
  accounts: ReadonlyMap<string, Row>;
  /** Their athletes by id; null for whoever is hidden. */
  people: ReadonlyMap<string, Person | null>;
}

/** How long, in ms, nothing is asked while nothing is said to have changed. */
const KEPT_MS = 60_000;
/**
 * How long a change may be under way between its number and its writing, in ms: a command is given
 * up after thirty seconds.
 */
const WRITING_MS = 60_000;
/** So many changes before its first look a process looks at too: one of them may be under way. */
const FIRST = 20;
/**
 * How often all is read again, in ms: a change that took longer than `WRITING_MS` to be written is
 * found by then at the latest.
 */
const WHOLE_MS = 5 * 60_000;
/** More changed people than this are not sorted out: all who are listed are read. */
const MOST_CHANGED = 1000;

const FIELDS: Record<Exclude<keyof Row, '_id'>, 1> = {
  network: 1,
  accountId: 1,
  handle: 1,
  since: 1,
  epoch: 1,
  athlete: 1,
  state: 1,
};

const personOf = ({ _id, slugs, name, disciplines, hidden }: AthleteRecord): Person | null =>
  hidden ? null : { id: _id, slug: slugs[0] ?? _id, name, disciplines };

/**
 * Every verified account of an athlete who is shown, in memory, as fresh as `Changes`. All are read
 * at first and every few minutes, else only the accounts and athletes that changed since, by the
 * numbers they bear. Those of the last minute are read again each time: one of them may have been
 * numbered and not yet written.
 */
export class Listing {
  private readonly lists = new SwrCache<Listed>(KEPT_MS);
  /** How far the counts of changes, of accounts and of the directory, were some time ago. */
  private before: Record<'accounts' | 'people', CountBefore>;
  private known: Known | null = null;
  private readonly now: () => number;
  private readonly wholeMs: number;
  private readWholeAt = -Infinity;
  private reading: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly accounts: Model<AccountRecord>,
    private readonly networks: Networks,
    private readonly athletes: Athletes,
    private readonly changes: Changes,
    { now = () => performance.now(), wholeMs = WHOLE_MS }: ListingTiming = {},
  ) {
    this.now = now;
    this.wholeMs = wholeMs;
    this.before = this.unknown();
  }

  private unknown(): Record<'accounts' | 'people', CountBefore> {
    const { now } = this;
    return { accounts: new CountBefore(WRITING_MS, now), people: new CountBefore(WRITING_MS, now) };
  }

  /** News have come: whoever reads next reads what has changed first. */
  forget(): void {
    this.lists.invalidate();
  }

  /** The verified accounts as of now. Throws as the store does when it is away for long. */
  async read(): Promise<Listed> {
    await this.changes.look();
    return this.lists.get('all', () => this.catchUp());
  }

  /** Reads what has changed; one at a time, each from where the last one ended. */
  private catchUp(): Promise<Listed> {
    const next = this.reading.then(() => this.readChanged());
    this.reading = next.catch(() => undefined);
    return next;
  }

  private async readChanged(): Promise<Listed> {
    // The counts first: what is numbered after them is found by the next look.
    const [accountsTo, { athletes, to: peopleTo }] = await Promise.all([
      this.changes.count('registry'),
      this.athletes.changedSince(this.before.people.get()?.to ?? Infinity, MOST_CHANGED),
    ]);
    const from = this.before.accounts.get()?.to;
    // A count that went back is that of another store, or of a backup: nothing known holds.
    const isOther = from !== undefined && from > accountsTo;
    const isOld = this.now() - this.readWholeAt >= this.wholeMs;
    if (isOther || isOld) {
      this.known = null;
      this.before = this.unknown();
      this.readWholeAt = this.now();
    }
    const { known } = this;
    const accounts =
      known && from !== undefined
        ? await this.changedAccounts(known.accounts, from, accountsTo)
        : await this.allAccounts();
    const people = await this.peopleOf(accounts, known && athletes ? known.people : null, athletes);
    const first = known ? 0 : FIRST;
    this.before.accounts.note(Math.max(0, accountsTo - first));
    this.before.people.note(Math.max(0, peopleTo - first));
    this.known = { accounts, people };
    return this.build(accounts, people);
  }

  private async allAccounts(): Promise<Map<string, Row>> {
    const found = await this.accounts.collection
      .find<Row>({ state: { $in: [...EARNS] } }, { projection: FIELDS })
      .toArray();
    return new Map(found.map((row) => [row._id, row]));
  }

  private async changedAccounts(
    known: Known['accounts'],
    from: number,
    to: number,
  ): Promise<Known['accounts']> {
    if (to === from) return known;
    const found = await this.accounts.collection
      .find<Row>({ changed: { $gt: from } }, { projection: FIELDS })
      .toArray();
    const accounts = new Map(known);
    for (const row of found) {
      if (EARNS.includes(row.state)) accounts.set(row._id, row);
      else accounts.delete(row._id);
    }
    return accounts;
  }

  /** The athletes of these accounts: those known as they are or as they changed, others read. */
  private async peopleOf(
    accounts: Known['accounts'],
    known: Known['people'] | null,
    changed: AthleteRecord[] | null,
  ): Promise<Known['people']> {
    const ids = new Set([...accounts.values()].map(({ athlete }) => athlete));
    const people = new Map([...(known ?? [])].filter(([id]) => ids.has(id)));
    for (const athlete of changed ?? [])
      if (ids.has(athlete._id)) people.set(athlete._id, personOf(athlete));
    const unknown = [...ids].filter((id) => !people.has(id));
    const read = await this.athletes.byIds(unknown);
    for (const id of unknown) {
      const athlete = read.get(id);
      people.set(id, athlete ? personOf(athlete) : null);
    }
    return people;
  }

  /** The accounts as they are asked for, those verified first in front. */
  private build(accounts: Known['accounts'], people: Known['people']): Listed {
    const byAthlete = new Map<string, VerifiedAccount[]>();
    const byAccount = new Map<string, VerifiedAccount>();
    const rows = [...accounts.values()].sort(
      (a, b) => a.since.getTime() - b.since.getTime() || (a._id < b._id ? -1 : 1),
    );
    for (const { _id: id, network, accountId, handle, since, epoch, athlete } of rows) {
      const person = people.get(athlete);
      if (!person) continue;
      const url = this.networks.adapter(network).accountUrl(accountId);
      const account = { id, network, accountId, handle, url, since, epoch, athlete: person };
      byAccount.set(`${network}:${accountId}`, account);
      const theirs = byAthlete.get(athlete);
      if (theirs) theirs.push(account);
      else byAthlete.set(athlete, [account]);
    }
    return { byAthlete, byAccount };
  }
}
