import type { Model } from 'mongoose';
import { InputError, VillageError } from '../errors.js';
import type { LinkedAccount } from '../networks/network.js';
import type { Audit } from '../platform/audit.js';
import type { Clock } from '../platform/clock.js';
import { languageFor } from '../platform/i18n.js';
import { randomId } from '../platform/ids.js';
import { isStoreAway } from '../platform/mongo.js';
import { isOfAge } from './digital-age.js';
import type { FanRecord } from './fan.model.js';
import type { Identities } from './identities.js';
import { nameTaken, refuse, type Names } from './names.js';
import { asName, nameKey } from './naming.js';

/** What a newcomer says on the first page. */
export interface Answers {
  birthYear: number;
  country: string;
  language: string;
  /** What the fan wants to be called, as typed; without it the hub proposes and takes. */
  name?: string;
}

const CONSENT = '2026-11';
/**
 * How often, and how many ms apart, is looked whether another process is making the same fan: it
 * links the account right behind.
 */
const OTHERS_LOOKS = 20;
const OTHERS_LOOK_MS = 50;

/**
 * From a proved account and the answers of the first page to a fan, once an account, whatever is
 * sent twice.
 */
export class Newcomers {
  /** Fans being made here, by the account that was proved. */
  private readonly making = new Map<string, Promise<FanRecord>>();

  constructor(
    private readonly records: Model<FanRecord>,
    private readonly identities: Identities,
    private readonly names: Names,
    private readonly audit: Audit,
    private readonly clock: Clock,
    private readonly hears: {
      require(id: string): Promise<FanRecord>;
      proved(fan: string, linked: LinkedAccount): Promise<void>;
      linked(fan: string, network: string): Promise<void>;
    },
  ) {}

  /**
   * Makes a fan of somebody who proved an account and answered the first page. Throws `too_young`,
   * and nothing is kept then, and InputError for a name that cannot be had; a second answer at the
   * same time finds the fan that the first made.
   */
  create(linked: LinkedAccount, answers: Answers, demo = false): Promise<FanRecord> {
    const account = `${linked.account.network}:${linked.account.id}`;
    const made =
      this.making.get(account) ??
      this.make(linked, answers, demo).finally(() => this.making.delete(account));
    this.making.set(account, made);
    return made;
  }

  private async make(linked: LinkedAccount, answers: Answers, demo: boolean): Promise<FanRecord> {
    const now = this.clock.now();
    if (!isOfAge(answers.birthYear, answers.country, now))
      throw new VillageError('too_young', { country: answers.country });
    const known = await this.found(linked);
    if (known) return known;
    try {
      return await this.makeNew(linked, answers, demo, now);
    } catch (error) {
      // The name may be taken by this very person: another process is making them of the same
      // answers.
      const taken = error instanceof InputError && error.issues[0]?.issue === 'name_taken';
      for (let left = taken ? OTHERS_LOOKS : 0; left > 0; left -= 1) {
        const made = await this.found(linked);
        if (made) return made;
        await new Promise((resolve) => setTimeout(resolve, OTHERS_LOOK_MS));
      }
      throw error;
    }
  }

  /** The fan whose account this is already, told what was proved. */
  private async found(linked: LinkedAccount): Promise<FanRecord | null> {
    const known = await this.identities.find(linked.account.network, linked.account.id);
    if (!known) return null;
    await this.hears.proved(known.fan, linked);
    return this.hears.require(known.fan);
  }

  private async makeNew(
    linked: LinkedAccount,
    answers: Answers,
    demo: boolean,
    now: Date,
  ): Promise<FanRecord> {
    const name =
      answers.name === undefined
        ? await this.names.suggest(languageFor(answers.language), linked.account)
        : asName(answers.name);
    refuse(await this.names.fault(name, [linked.account], null));
    const fan: FanRecord = {
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
    await this.records.create(fan).catch(nameTaken);
    try {
      await this.identities.link(fan._id, linked);
    } catch (error) {
      // Linked though no answer came, the fan is whole. While the store does not say, the fan
      // stays: an account of nobody would be shut for ever.
      const owner = await this.identities.find(linked.account.network, linked.account.id);
      if (owner?.fan !== fan._id) {
        // Somebody else took the account meanwhile, or it cannot be linked: the half-made fan goes,
        // unless the link may still come.
        if (!isStoreAway(error)) await this.records.deleteOne({ _id: fan._id });
        if (owner) return this.hears.require(owner.fan);
        throw error;
      }
    }
    await this.hears.proved(fan._id, linked);
    await this.audit.add({
      by: fan._id,
      act: 'fan.created',
      on: `fan:${fan._id}`,
      after: { network: linked.account.network },
    });
    await this.hears.linked(fan._id, linked.account.network);
    return fan;
  }
}
