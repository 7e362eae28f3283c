import { randomInt } from 'node:crypto';
import type { Connection, Model } from 'mongoose';
import { InputError } from '../errors.js';
import type { AccountRef } from '../networks/network.js';
import { SwrCache } from '../platform/swr-cache.js';
import type { Language, Words } from '../platform/i18n.js';
import { isDuplicate } from '../platform/mongo.js';
import { fanModel, type FanRecord } from './fan.model.js';
import { faultOf, nameKey, traitsOf, type NameFault } from './naming.js';
import type { Listed } from './needs.js';

/** How long the names of verified athletes are held against others' before they are read again. */
const KNOWN_MS = 5000;
/** How many inventions are tried before figures are put behind one. */
const PLAIN_TRIES = 4;
const TRIES = 40;

/** A person's account as far as names are concerned. */
type Own = Pick<AccountRef, 'network' | 'id'>;

/** Throws what is wrong with a name as a wrong field of a form. */
export function refuse(fault: NameFault | null): void {
  if (fault) throw new InputError([{ path: 'name', issue: fault }]);
}
/** Somebody took the name between the look and the write. */
export function nameTaken(error: unknown): never {
  if (isDuplicate(error)) refuse('name_taken');
  throw error;
}

/**
 * What fans are called: who may have which name, and what to propose. Asks the store; the rules
 * themselves are `naming.ts`.
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

  /** Who knows the verified athletes. */
  onListed(listed: Listed): void {
    this.listed = listed;
  }

  /** By trait of a name, the accounts of those who have it. */
  private known(): Promise<Map<string, string[]>> {
    return this.athletes.get('', async () => {
      const map = new Map<string, string[]>();
      for (const one of (await this.listed?.verified()) ?? [])
        for (const trait of new Set([...traitsOf(one.athlete.name), ...traitsOf(one.handle)]))
          map.set(trait, [...(map.get(trait) ?? []), `${one.network}:${one.accountId}`]);
      return map;
    });
  }

  /**
   * What a verified account makes nobody else's: its athlete's name and its handle; [] when it is
   * not verified.
   */
  async ofAccount(network: string, account: string): Promise<string[]> {
    const one = ((await this.listed?.verified()) ?? []).find(
      (each) => each.network === network && each.accountId === account,
    );
    return one ? [one.athlete.name, one.handle] : [];
  }

  /** News of the registry came. */
  forget(): void {
    this.athletes.invalidate();
  }

  /**
   * Why nobody with these accounts may have a name, whether it is free or not: the rules, and
   * verified athletes' names but for themselves.
   */
  async refused(name: string, own: Own[]): Promise<NameFault | null> {
    const fault = faultOf(name);
    if (fault) return fault;
    const athletes = await this.known();
    const mine = new Set(own.map((one) => `${one.network}:${one.id}`));
    const theirs = traitsOf(name).flatMap((trait) => athletes.get(trait) ?? []);
    return theirs.length > 0 && !theirs.some((account) => mine.has(account))
      ? 'name_athlete'
      : null;
  }

  /**
   * As `refused`, and whether somebody other than this fan has the name or one that looks the same.
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
   * A name that is free now: the account's public handle where its network has such and it may be
   * had, else an invented one in the language. Never the name that a network has for the person,
   * which may be their real one.
   */
  async suggest(language: Language, account: Own & Pick<AccountRef, 'handle'>): Promise<string> {
    if (account.handle !== '' && (await this.fault(account.handle, [account], null)) === null)
      return account.handle;
    return this.invent(language, [account]);
  }

  /**
   * An invented, friendly, free name: an animal and a manner; where that is taken, with a figure.
   */
  async invent(language: Language, own: Own[] = []): Promise<string> {
    const pick = (key: string): string => {
      const all = this.words.t(language, key).split(', ');
      return all[randomInt(all.length)] ?? '';
    };
    for (let n = 0; n < TRIES; n += 1) {
      const figure = n < PLAIN_TRIES ? '' : ` ${randomInt(2, 10 ** Math.min(6, n - 1))}`;
      const name = `${this.words.t(language, 'fans.invented.name', { animal: pick('fans.invented.animals'), manner: pick('fans.invented.manners') })}${figure}`;
      if ((await this.fault(name, own, null)) === null) return name;
    }
    throw new Error('names: no invented name is free');
  }
}
