import type { Connection, Model } from 'mongoose';
import type { Athletes } from '../athletes/service.js';
import type { Fans } from '../fans/service.js';
import type { Networks } from '../networks/service.js';
import type { Audit } from '../platform/audit.js';
import type { Bus } from '../platform/bus.js';
import type { Changes } from '../platform/changes.js';
import type { Clock } from '../platform/clock.js';
import type { Settings } from '../platform/settings.js';
import type { AccountRecord } from './account.model.js';
import type { CaseRecord } from './case.model.js';
import type { Cases } from './cases.js';
import type { Handles } from './handles.js';
import type { Owners } from './owners.js';

/** What the registry is built from. */
export interface RegistryNeeds {
  connection: Connection;
  networks: Networks;
  athletes: Athletes;
  fans: Fans;
  audit: Audit;
  bus: Bus;
  changes: Changes;
  settings: Settings;
  clock: Clock;
}

/** What the registry's use cases share. */
export interface RegistryParts extends RegistryNeeds {
  accounts: Model<AccountRecord>;
  records: Model<CaseRecord>;
  cases: Cases;
  handles: Handles;
  owners: Owners;
  /** Tells everybody that an account has changed, and that this is stored. */
  tell(account: Pick<AccountRecord, 'network' | 'accountId'>): Promise<void>;
}
