import { randomInt } from 'node:crypto';
import type { Connection, Model } from 'mongoose';
import { InputError } from '../errors.js';
import type { AccountRef } from '../networks/network.js';
import { SwrCache } from '../platform/swr-cache.js';
import type { Language, Words } from '../platform/i18n.js';
import { isDuplicate } from '../platform/mongo.js';
import { fanModel, type FanRecord } from './fan.model.js';
import { asName, faultOf, nameKey, traitsOf, type NameFault } from './naming.js';
import type { Listed } from './needs.js';

/** How long the names of verified athletes are kept before they are read again. */
const KNOWN_MS = 5000;
/** How many inventions are tried before figures are put behind one. */
const PLAIN_TRIES = 4;
const TRIES = 40;

/** An account of the person who wants the name. */
type Own = Pick<AccountRef, 'network' | 'id'>;

/** Throws InputError when something is wrong with a name, which a form shows at its field. */
export function refuse(fault: NameFault | null): void {
  if (fault) throw new InputError([{ path: 'name', issue: fault }]);
}
/** Throws what the store threw; a duplicate key says that somebody took the name meanwhile. */
export function nameTaken(error: unknown): never {
  if (isDuplicate(error)) refuse('name_taken');
  throw error;
}

/**
 * Says who may have which name, and what to propose. What may be a name at all is `naming.ts`; here
 * it is compared with the names of fans and of verified athletes.
 */
export class Names {
  private readonly records: Model<FanRecord>;
  private readonly athletes = new SwrCache<Map<string, string[]>>(KNOWN_MS);
  private listed: Listed | null = null;

  constructor(
    connection: Connection,
    private readonly words: Words,
  ) {
    this.records = fanModel(connection);
  }

  /** Names who knows the verified athletes. */
  onListed(listed: Listed): void {
    this.listed = listed;
  }

  /** By trait of a name, the verified accounts of the athletes who have it. */
  private byTrait(): Promise<Map<string, string[]>> {
    return this.athletes.get('', async () => {
      const map = new Map<string, string[]>();
      for (const { network, accountId, handle, athlete } of (await this.listed?.verified()) ?? [])
        for (const trait of new Set([...traitsOf(athlete.name), ...traitsOf(handle)]))
          map.set(trait, [...(map.get(trait) ?? []), `${network}:${accountId}`]);
      return map;
    });
  }

  /**
   * The names that a verified account reserves for its athlete: the athlete's and its handle. None
   * when it is not verified.
   */
  async reservedBy(network: string, account: string): Promise<string[]> {
    const found = ((await this.listed?.verified()) ?? []).find(
      (each) => each.network === network && each.accountId === account,
    );
    return found ? [found.athlete.name, found.handle] : [];
  }

  /** Drops what is kept of verified athletes, because the registry changed. */
  forget(): void {
    this.athletes.invalidate();
  }

  /**
   * Why somebody with these accounts may not have a name, whether it is free or not; null when they
   * may. A verified athlete's name is for the athlete alone.
   */
  async refused(name: string, own: Own[]): Promise<NameFault | null> {
    const fault = faultOf(name);
    if (fault) return fault;
    const athletes = await this.byTrait();
    const mine = new Set(own.map(({ network, id }) => `${network}:${id}`));
    const theirs = traitsOf(name).flatMap((trait) => athletes.get(trait) ?? []);
    return theirs.length > 0 && !theirs.some((account) => mine.has(account))
      ? 'name_athlete'
      : null;
  }

  /**
   * Why somebody may not have a name now: as `refused`, or because another than this fan has it or
   * one that looks the same.
   */
  async fault(name: string, own: Own[], fan: string | null): Promise<NameFault | null> {
    return (
      (await this.refused(name, own)) ?? ((await this.isTaken(name, fan)) ? 'name_taken' : null)
    );
  }

  private async isTaken(name: string, fan: string | null): Promise<boolean> {
    return (
      (await this.records.exists({
        nameKey: nameKey(name),
        ...(fan === null ? {} : { _id: { $ne: fan } }),
      })) !== null
    );
  }

  /**
   * Proposes a name that is free now: the account's public handle where it has one that may be had,
   * else an invented name. Never the name that a network has for the person, which may be their
   * real one.
   */
  async suggest(language: Language, account: Own & Pick<AccountRef, 'handle'>): Promise<string> {
    const handle = asName(account.handle);
    if (handle !== '' && (await this.fault(handle, [account], null)) === null) return handle;
    return this.invent(language, [account]);
  }

  /**
   * Invents a friendly name that is free: an animal and a manner, with a figure where that is
   * taken.
   */
  async invent(language: Language, own: Own[] = []): Promise<string> {
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const digits = Math.min(6, attempt - 1);
      const figure = attempt < PLAIN_TRIES ? '' : ` ${randomInt(2, 10 ** digits)}`;
      const name = `${this.inventPlain(language)}${figure}`;
      if ((await this.fault(name, own, null)) === null) return name;
    }
    throw new Error('names: no invented name is free');
  }

  private inventPlain(language: Language): string {
    const pick = (key: string): string => {
      const choices = this.words.t(language, key).split(', ');
      return choices[randomInt(choices.length)] ?? '';
    };
    const animal = pick('fans.invented.animals');
    const manner = pick('fans.invented.manners');
    return this.words.t(language, 'fans.invented.name', { animal, manner });
  }
}
