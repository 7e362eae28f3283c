import type { Audit } from '../platform/audit.js';
import type { Bus } from '../platform/bus.js';
import { languageFor } from '../platform/i18n.js';
import type { FanRecord } from './fan.model.js';
import type { FanStore } from './fan-store.js';
import type { Identities } from './identities.js';
import { nameTaken, refuse, type Names } from './names.js';
import { asName, nameKey } from './naming.js';

/** Gives fans other names: at their own wish, or because theirs cannot stay. */
export class Renaming {
  private readonly store: FanStore;
  private readonly identities: Identities;
  private readonly names: Names;
  private readonly audit: Audit;

  constructor(parts: {
    store: FanStore;
    identities: Identities;
    names: Names;
    audit: Audit;
    bus: Bus;
  }) {
    this.store = parts.store;
    this.identities = parts.identities;
    this.names = parts.names;
    this.audit = parts.audit;
    parts.bus.on('registry:changed', ({ network, account }) => this.yieldTo(network, account));
  }

  /**
   * Answers what a typed name would be shown as. Throws InputError (`name_taken`, `name_reserved`
   * …) when this fan may not be called so.
   */
  async mayBeCalled(id: string, typed: string): Promise<string> {
    const name = asName(typed);
    refuse(await this.names.fault(name, await this.identities.accountsOf(id), id));
    return name;
  }

  /** Renames a fan, on boards and in rooms too. Throws as `mayBeCalled`. */
  async rename(id: string, typed: string): Promise<FanRecord> {
    const name = await this.mayBeCalled(id, typed);
    const before = await this.store.require(id);
    if (name === before.handle && before.named === 'chosen') return before;
    const fan = await this.store
      .change(id, {
        $set: { handle: name, nameKey: nameKey(name), named: 'chosen' },
        $inc: { revision: 1 },
      })
      .catch(nameTaken);
    await this.audit.add({
      by: id,
      act: 'fan.renamed',
      on: `fan:${id}`,
      before: before.handle,
      after: name,
    });
    return fan;
  }

  /**
   * Replaces a name that the rules no longer allow, because an athlete of that name was verified
   * since, by an invented one; the fan is told in the settings. Where several processes do it at
   * once, one does.
   */
  async keepAllowed(fan: FanRecord): Promise<void> {
    const own = await this.identities.accountsOf(fan._id);
    if ((await this.names.refused(fan.handle, own)) === null) return;
    const name = await this.names.invent(languageFor(fan.language), own);
    const isRenamed = await this.store.changeIf(
      { _id: fan._id, handle: fan.handle },
      { $set: { handle: name, nameKey: nameKey(name), named: 'given' }, $inc: { revision: 1 } },
    );
    if (isRenamed)
      await this.audit.add({ by: 'hub', act: 'fan.renamed', on: `fan:${fan._id}`, after: name });
  }

  /**
   * An account became verified: a fan who is called like its athlete, and is not the athlete, is
   * renamed. Those missed here are renamed when they sign in.
   */
  private async yieldTo(network: string, account: string): Promise<void> {
    this.names.forget();
    const keys = (await this.names.reservedBy(network, account)).map(nameKey);
    if (keys.length === 0) return;
    const fans = await this.store.records.find({ nameKey: { $in: keys } }).lean<FanRecord[]>();
    for (const fan of fans) await this.keepAllowed(fan);
  }
}
