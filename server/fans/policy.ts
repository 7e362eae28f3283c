import type { FanRecord, Role } from './fan.model.js';

const STAFF: readonly Role[] = ['moderator', 'organiser', 'admin'];

/** Who may decide whose account it is. */
export const MODERATORS = ['moderator', 'admin'] as const satisfies readonly Role[];
/** Who runs the hub. */
export const ORGANISERS = ['organiser', 'admin'] as const satisfies readonly Role[];
/** Whether somebody with these roles may decide whose account it is. */
export const mayModerate = (roles: readonly string[]): boolean => MODERATORS.some((role) => roles.includes(role));
/** Whether these roles may set what the hub offers. */
export const mayOrganise = (roles: readonly string[]): boolean => ORGANISERS.some((role) => roles.includes(role));
/** Staff and athletes earn but do not rank (DESIGN 6). */
export const ranks = (fan: Pick<FanRecord, 'roles' | 'state'>): boolean =>
  fan.state === 'active' && !fan.roles.some((role) => role === 'athlete' || STAFF.includes(role));
