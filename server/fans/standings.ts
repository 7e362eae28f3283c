import type { Model } from 'mongoose';
import { UNRANKED } from '../platform/rights.js';
import type { FanRecord } from './fan.model.js';

/** What boards show of a fan. */
export interface FanStanding {
  /** Whether they stand on boards at all. */
  rankable: boolean;
  name: string;
  country: string;
  /** Grows with every change of the above. */
  revision: number;
}

/** Whether a fan stands on boards: staff and athletes earn but do not rank (DESIGN 6). */
const isRanked = ({ roles, state }: Pick<FanRecord, 'roles' | 'state'>): boolean =>
  state === 'active' && !roles.some((role) => UNRANKED.includes(role));

/** Reads what boards show of fans; unknown ones are absent. */
export async function readStandings(
  records: Model<FanRecord>,
  ids: string[],
): Promise<Map<string, FanStanding>> {
  if (ids.length === 0) return new Map();
  const found = await records
    .find({ _id: { $in: ids } }, { handle: 1, roles: 1, state: 1, country: 1, revision: 1 })
    .lean<FanRecord[]>();
  return new Map(
    found.map((fan) => [
      fan._id,
      {
        rankable: isRanked(fan),
        name: fan.handle,
        country: fan.country,
        revision: fan.revision,
      },
    ]),
  );
}
