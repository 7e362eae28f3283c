import { UNRANKED } from '../platform/rights.js';
import type { FanRecord } from './fan.model.js';

/** Whether a fan stands on boards: staff and athletes earn but do not rank (DESIGN 6). */
export const ranks = (fan: Pick<FanRecord, 'roles' | 'state'>): boolean =>
  fan.state === 'active' && !fan.roles.some((role) => UNRANKED.includes(role));
