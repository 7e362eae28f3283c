/** Roles that a fan may have beside being a fan. */
export const ROLES = ['athlete', 'volunteer', 'moderator', 'organiser', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What a token may be allowed: read what its fan reads, follow, chat, moderate, organise. */
export const SCOPES = ['read', 'follow', 'chat', 'moderate', 'organise'] as const;
export type Scope = (typeof SCOPES)[number];

/**
 * Which roles may do what: the one table that doors, services and pages ask. `moderate` decides
 * whose account it is and keeps chats clean; `organise` sets what the hub offers.
 */
export const RIGHTS = {
  moderate: ['moderator', 'admin'],
  organise: ['organiser', 'admin'],
} as const satisfies Record<string, readonly Role[]>;
export type Right = keyof typeof RIGHTS;

/** Whether somebody with these roles has a right. */
export const may = (roles: readonly string[], right: Right): boolean =>
  RIGHTS[right].some((role) => roles.includes(role));

/** Roles whose bearers earn points and stand on no board (DESIGN 6). */
export const UNRANKED: readonly Role[] = ['athlete', 'moderator', 'organiser', 'admin'];
