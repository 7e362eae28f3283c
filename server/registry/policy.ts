import { VillageError } from '../errors.js';
import { may } from '../platform/rights.js';

/** Who acts: rights are checked in the registry itself, not only at its doors. */
export interface Actor {
  id: string;
  roles: readonly string[];
}

/** Throws `not_allowed` unless the actor moderates. */
export function requireModerator(actor: Actor): void {
  if (!may(actor.roles, 'moderate')) throw new VillageError('not_allowed');
}
