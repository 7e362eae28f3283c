import type { ClientSession, Model } from 'mongoose';
import type { AthleteRecord, Athletes } from '../athletes/service.js';
import { VillageError } from '../errors.js';
import type { Audit, AuditRecord } from '../platform/audit.js';
import { within } from '../platform/clock.js';
import type { AccountRecord } from './account.model.js';
import type { CaseFile, CaseRecord, CaseState } from './case.model.js';
import type { QUEUES } from './schema.js';
import type { Handles } from './handles.js';
import { requireModerator, type Actor } from './policy.js';

/** The state in which the cases of a queue leave their accounts. */
export type QueueState = (typeof QUEUES)[number];
/** The cases of each queue. */
const LISTED: Record<QueueState, CaseState> = {
  candidate: 'open',
  verified: 'granted',
  refused: 'refused',
  revoked: 'revoked',
};

/** A case with what is known beside it. */
export interface Dossier {
  file: CaseFile;
  athlete: AthleteRecord | null;
  /** Other accounts of that athlete. */
  others: CaseFile[];
  /** Accounts whose handles look like this one's. */
  alike: CaseFile[];
  /** What was done about the account, newest first. */
  log: AuditRecord[];
}

/** What is known of an account may be so old, in ms, when a moderator opens its case. */
const FRESH_MS = 60_000;
/** How long that page waits for a network, in ms. */
const PATIENCE_MS = 1500;
/** Look-alikes that a case shows. */
const MOST_ALIKE = 10;

interface CasesParts {
  accounts: Model<AccountRecord>;
  records: Model<CaseRecord>;
  athletes: Athletes;
  handles: Handles;
  audit: Audit;
}

/** Reads cases, for moderators. Those of hidden athletes are shown to nobody (RULES R13). */
export class Cases {
  constructor(private readonly parts: CasesParts) {}

  /**
   * The case with its account, or `account_not_found`: also when the athlete it is about, or to
   * whom the account belongs since, is hidden. With a session it is read in its transaction.
   */
  async require(id: string, session: ClientSession | null = null): Promise<CaseFile> {
    const { accounts, records, athletes } = this.parts;
    const found = await records.findById(id).session(session).lean<CaseRecord>();
    const account =
      found && (await accounts.findById(found.account).session(session).lean<AccountRecord>());
    const hidden = await athletes.hidden();
    if (!account || hidden.has(found.athlete) || hidden.has(account.athlete))
      throw new VillageError('account_not_found', { account: '' });
    return { ...found, account };
  }

  /**
   * The last case of each account by state, open ones oldest first and others newest first, and how
   * many are open. Only for moderators.
   */
  async queue(
    actor: Actor,
    queue: QueueState,
    limit: number,
  ): Promise<{ items: CaseFile[]; open: number }> {
    requireModerator(actor);
    const { accounts, records, athletes } = this.parts;
    const state = LISTED[queue];
    const shown = { athlete: { $nin: [...(await athletes.hidden())] } };
    const [found, open] = await Promise.all([
      records
        .find({ state, latest: true, ...shown })
        .sort({ submittedAt: state === 'open' ? 1 : -1 })
        .limit(limit)
        .lean<CaseRecord[]>(),
      records.countDocuments({ state: 'open', latest: true, ...shown }),
    ]);
    const ids = found.map(({ account }) => account);
    const theirs = await accounts.find({ _id: { $in: ids } }).lean<AccountRecord[]>();
    const byId = new Map(theirs.map((account) => [account._id, account]));
    const items = found.flatMap((record): CaseFile[] => {
      const account = byId.get(record.account);
      return account ? [{ ...record, account }] : [];
    });
    return { items, open };
  }

  /**
   * A case with the athlete, their other accounts, accounts that look alike, and what was done so
   * far. The network is asked first what the account is called now. Only for moderators.
   */
  async dossier(actor: Actor, id: string): Promise<Dossier> {
    requireModerator(actor);
    const { accounts, athletes, handles, audit } = this.parts;
    const { account: known } = await this.require(id);
    await within(handles.refresh([known], FRESH_MS), PATIENCE_MS);
    const file = await this.require(id);
    const { _id, skeleton } = file.account;
    const hidden = [...(await athletes.hidden())];
    const [people, others, alike, log] = await Promise.all([
      athletes.byIds([file.athlete]),
      accounts.find({ athlete: file.athlete, _id: { $ne: _id } }).lean<AccountRecord[]>(),
      accounts
        .find({ skeleton, _id: { $ne: _id }, athlete: { $nin: hidden } })
        .limit(MOST_ALIKE)
        .lean<AccountRecord[]>(),
      audit.about(`account:${_id}`),
    ]);
    const files = await this.lastOf([...others, ...alike]);
    const filesOf = (list: AccountRecord[]): CaseFile[] =>
      list.flatMap(({ _id: account }) => files.get(account) ?? []);
    const athlete = people.get(file.athlete) ?? null;
    return { file, athlete, others: filesOf(others), alike: filesOf(alike), log };
  }

  /** The last case of each of these accounts, by account. */
  private async lastOf(accounts: AccountRecord[]): Promise<Map<string, CaseFile>> {
    const ids = accounts.map((account) => account.case);
    const found = await this.parts.records.find({ _id: { $in: ids } }).lean<CaseRecord[]>();
    const byId = new Map(found.map((record) => [record._id, record]));
    return new Map(
      accounts.flatMap((account): [string, CaseFile][] => {
        const record = byId.get(account.case);
        return record ? [[account._id, { ...record, account }]] : [];
      }),
    );
  }
}
