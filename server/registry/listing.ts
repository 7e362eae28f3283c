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

/** What a process knows, and up to which change. */
interface Known {
  /** The change of the registry up to which accounts are known. */
  to: number;
  /** Verified accounts by id, also those of hidden athletes. */
  accounts: ReadonlyMap<string, Row>;
  /** Their athletes by id; null for whoever is hidden. */
  people: ReadonlyMap<string, Person | null>;
}

/** How long, in ms, nothing is asked while nothing is said to have changed. */
const KEPT_MS = 60_000;
/** How long a change of the directory may be under way between its number and its writing, in ms. */
const WRITING_MS = 10_000;
/** So many changes before its first look a process looks at too: one of them may be under way. */
const FIRST = 100;
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
 * once; then only what bears a higher number than what is known, of accounts and of athletes.
 */
export class Listing {
  private readonly lists = new SwrCache<Listed>(KEPT_MS);
  private readonly before = new CountBefore(WRITING_MS);
  private known: Known | null = null;
  private reading: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly accounts: Model<AccountRecord>,
    private readonly networks: Networks,
    private readonly athletes: Athletes,
    private readonly changes: Changes,
  ) {}

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
    // The count first: what is numbered after it is found by the next look. Numbers become visible
    // with what bears them and in their order, so nothing lower is still to come.
    const to = await this.changes.count('registry');
    // A count that went back is that of another store, or of a backup: nothing known holds.
    const known = this.known && to >= this.known.to ? this.known : null;
    const accounts = known ? await this.changedAccounts(known, to) : await this.allAccounts();
    const { people, counted } = await this.peopleOf(accounts, known?.people ?? null);
    this.known = { to, accounts, people };
    this.before.note(counted);
    return this.build(accounts, people);
  }

  private async allAccounts(): Promise<Map<string, Row>> {
    const found = await this.accounts.collection
      .find<Row>({ state: { $in: [...EARNS] } }, { projection: FIELDS })
      .toArray();
    return new Map(found.map((row) => [row._id, row]));
  }

  private async changedAccounts(known: Known, to: number): Promise<ReadonlyMap<string, Row>> {
    if (to === known.to) return known.accounts;
    const found = await this.accounts.collection
      .find<Row>({ changed: { $gt: known.to } }, { projection: FIELDS })
      .toArray();
    const accounts = new Map(known.accounts);
    for (const row of found) {
      if (EARNS.includes(row.state)) accounts.set(row._id, row);
      else accounts.delete(row._id);
    }
    return accounts;
  }

  /**
   * The athletes of these accounts: those that are known and not changed since as they are, the
   * others read. `counted` is how far the count of the directory's changes is known by it.
   */
  private async peopleOf(
    accounts: ReadonlyMap<string, Row>,
    known: Known['people'] | null,
  ): Promise<{ people: Known['people']; counted: number }> {
    const ids = new Set([...accounts.values()].map(({ athlete }) => athlete));
    const from = this.before.get()?.to;
    // As with accounts the count comes first; it is not written together with what it counts, so
    // each look begins where the count was some time ago.
    const { athletes, to } = await this.athletes.changedSince(from ?? Infinity, MOST_CHANGED);
    const people = new Map<string, Person | null>();
    if (known && from !== undefined && athletes) {
      for (const id of ids) {
        const person = known.get(id);
        if (person !== undefined) people.set(id, person);
      }
      for (const athlete of athletes)
        if (ids.has(athlete._id)) people.set(athlete._id, personOf(athlete));
    }
    const unknown = [...ids].filter((id) => !people.has(id));
    const read = await this.athletes.byIds(unknown);
    for (const id of unknown) {
      const athlete = read.get(id);
      people.set(id, athlete ? personOf(athlete) : null);
    }
    return { people, counted: from === undefined ? Math.max(0, to - FIRST) : to };
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
