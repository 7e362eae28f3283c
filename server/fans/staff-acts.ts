import type { Audit } from '../platform/audit.js';
import { type Role, ROLES } from '../platform/rights.js';
import type { FanRecord } from './fan.model.js';
import type { FanSessions } from './fan-sessions.js';
import type { FanStore } from './fan-store.js';

/** What staff may do to a fan: give and take roles, and ban. Each raises the fan's version. */
export class StaffActs {
  constructor(private readonly parts: { store: FanStore; sessions: FanSessions; audit: Audit }) {}

  /**
   * Gives or takes a role. Ends all the fan's sessions, whose rights would be old. Throws
   * `fan_not_found`.
   */
  async setRole(id: string, role: Role, give: boolean, by: string): Promise<FanRecord> {
    const { store, sessions, audit } = this.parts;
    const before = await store.require(id);
    const roles = ROLES.filter((each) => (each === role ? give : before.roles.includes(each)));
    if (roles.join() === before.roles.join()) return before;
    const fan = await store.change(id, { $set: { roles }, $inc: { version: 1, revision: 1 } });
    await audit.add({
      by,
      act: give ? 'role.given' : 'role.taken',
      on: `fan:${id}`,
      before: before.roles,
      after: roles,
    });
    await sessions.removeAll(id);
    return fan;
  }

  /**
   * Shuts a fan out: sessions and sockets end, boards drop them, tokens stop. Throws
   * `fan_not_found`.
   */
  async ban(id: string, by: string, reason: string): Promise<void> {
    const { store, sessions, audit } = this.parts;
    await store.change(id, { $set: { state: 'banned' }, $inc: { version: 1, revision: 1 } });
    await audit.add({ by, act: 'fan.banned', on: `fan:${id}`, reason });
    await sessions.removeAll(id);
  }
}
