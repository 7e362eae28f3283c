import type { Facts } from '../locks/service.js';

/** What videos need of the rooms below to tell what an award opened: how the facts were before these deeds were gained. */
export interface Deeds {
  before(fan: string, facts: Facts, gained: string[]): Promise<Facts>;
}
