import { InputError, VillageError } from '../errors.js';
import type { LinkedAccount } from '../networks/network.js';
import type { Audit } from '../platform/audit.js';
import type { Clock } from '../platform/clock.js';
import { languageFor } from '../platform/i18n.js';
import { randomId } from '../platform/ids.js';
import { isStoreAway } from '../platform/mongo.js';
import { isOfAge } from './digital-age.js';
import type { FanRecord } from './fan.model.js';
import type { FanStore } from './fan-store.js';
import type { Identities } from './identities.js';
import type { Linking } from './linking.js';
import { nameTaken, refuse, type Names } from './names.js';
import { asName, nameKey } from './naming.js';

/** What a newcomer says on the first page. */
export interface Answers {
  birthYear: number;
  country: string;
  language: string;
  /** What they want to be called, as typed; without it the hub proposes a name and takes it. */
  name?: string;
}

/** Somebody who proved an account and answered the first page. */
interface Newcomer {
  linked: LinkedAccount;
  answers: Answers;
  demo: boolean;
}

/** The version of the conditions that newcomers consent to. */
const CONSENT = '2026-11';
/**
 * How often, and how many ms apart, to look whether another process has made the same fan: it links
 * the account right after.
 */
const LOOKS = 20;
const LOOK_MS = 50;

const isNameTaken = (error: unknown): boolean =>
  error instanceof InputError && error.issues[0]?.issue === 'name_taken';

/** Accepts newcomers: each proved account becomes one fan, whatever is sent twice. */
export class Newcomers {
  private readonly store: FanStore;
  private readonly identities: Identities;
  private readonly names: Names;
  private readonly linking: Linking;
  private readonly audit: Audit;
  private readonly clock: Clock;
  /** Fans being made in this process, by the account that was proved. */
  private readonly making = new Map<string, Promise<FanRecord>>();

  constructor(parts: {
    store: FanStore;
    identities: Identities;
    names: Names;
    linking: Linking;
    audit: Audit;
    clock: Clock;
  }) {
    this.store = parts.store;
    this.identities = parts.identities;
    this.names = parts.names;
    this.linking = parts.linking;
    this.audit = parts.audit;
    this.clock = parts.clock;
  }

  /**
   * Makes a fan of a newcomer. Throws `too_young`, and nothing is kept then, and InputError for a
   * name that they cannot have. A second answer at the same time gets the fan that the first made.
   */
  create(linked: LinkedAccount, answers: Answers, demo = false): Promise<FanRecord> {
    const account = `${linked.account.network}:${linked.account.id}`;
    const made =
      this.making.get(account) ??
      this.accept({ linked, answers, demo }).finally(() => this.making.delete(account));
    this.making.set(account, made);
    return made;
  }

  private async accept(newcomer: Newcomer): Promise<FanRecord> {
    const { linked, answers } = newcomer;
    if (!isOfAge(answers.birthYear, answers.country, this.clock.now()))
      throw new VillageError('too_young', { country: answers.country });
    const known = await this.findOwner(linked);
    if (known) return known;
    try {
      return await this.make(newcomer);
    } catch (error) {
      // The name may be taken by this very person: another process is making them of the same
      // answers.
      const made = isNameTaken(error) ? await this.waitForOwner(linked) : null;
      if (made) return made;
      throw error;
    }
  }

  /** The fan whose account this is already, once it was told what they proved; null for none. */
  private async findOwner(linked: LinkedAccount): Promise<FanRecord | null> {
    const known = await this.identities.find(linked.account.network, linked.account.id);
    if (!known) return null;
    await this.linking.tellProved(known.fan, linked);
    return this.store.require(known.fan);
  }

  private async waitForOwner(linked: LinkedAccount): Promise<FanRecord | null> {
    for (let look = 0; look < LOOKS; look += 1) {
      const owner = await this.findOwner(linked);
      if (owner) return owner;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return null;
  }

  private async make(newcomer: Newcomer): Promise<FanRecord> {
    const { linked } = newcomer;
    const { network } = linked.account;
    const fan = this.recordOf(newcomer, await this.nameFor(newcomer));
    await this.store.records.create(fan).catch(nameTaken);
    const owner = await this.linkOrUndo(fan, linked);
    if (owner !== fan._id) return this.store.require(owner);
    await this.linking.tellProved(fan._id, linked);
    await this.audit.add({
      by: fan._id,
      act: 'fan.created',
      on: `fan:${fan._id}`,
      after: { network },
    });
    await this.linking.tellLinked(fan._id, network);
    return fan;
  }

  private async nameFor({ linked, answers }: Newcomer): Promise<string> {
    const name =
      answers.name === undefined
        ? await this.names.suggest(languageFor(answers.language), linked.account)
        : asName(answers.name);
    refuse(await this.names.fault(name, [linked.account], null));
    return name;
  }

  private recordOf({ answers, demo }: Newcomer, name: string): FanRecord {
    const now = this.clock.now();
    return {
      _id: randomId(),
      handle: name,
      nameKey: nameKey(name),
      named: answers.name === undefined ? 'given' : 'chosen',
      country: answers.country,
      birthYear: answers.birthYear,
      language: answers.language,
      roles: [],
      version: 1,
      revision: 1,
      state: 'active',
      consent: { version: CONSENT, at: now },
      demo,
      tokens: [],
      createdAt: now,
    };
  }

  /**
   * Links the account to the fan who was just made, and answers whose it is now. When somebody else
   * took it meanwhile, or it cannot be linked (the error is thrown on), the half-made fan is
   * removed, unless the link may still come.
   */
  private async linkOrUndo(fan: FanRecord, linked: LinkedAccount): Promise<string> {
    try {
      await this.identities.link(fan._id, linked);
      return fan._id;
    } catch (error) {
      // Linked though no answer came, the fan is whole. While the store does not say, the fan
      // stays: an account of nobody would be shut for ever.
      const owner = await this.identities.find(linked.account.network, linked.account.id);
      if (owner?.fan === fan._id) return fan._id;
      if (!isStoreAway(error)) await this.store.records.deleteOne({ _id: fan._id });
      if (owner) return owner.fan;
      throw error;
    }
  }
}
