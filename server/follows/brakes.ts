import { VillageError } from '../errors.js';
import type { NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { AuditRecord, Audit } from '../platform/audit.js';
import type { Clock } from '../platform/clock.js';
import type { Registry } from '../registry/service.js';
import type { Brake, BrakeLimits, Release, Stop } from './brake.js';
import type { Doubts } from './doubts.js';
import { may } from '../platform/rights.js';

export type { BrakeLimits } from './brake.js';
/** Who acts: rights are checked here, not only in the screens. */
export interface Actor {
  id: string;
  roles: readonly string[];
}
/** A network as the person sees it who may let taking go on. */
export interface BrakeState {
  network: NetworkId;
  stop: Stop | null;
  release: Release | null;
  /**
   * What would be taken: deeds that the network denies, of so many fans, and the accounts they are
   * most of.
   */
  ripe: {
    deeds: number;
    fans: number;
    most: { deed: string; fans: number; athlete: string | null; handle: string | null }[];
  };
  log: AuditRecord[];
}
export interface BrakesParts {
  brake: Brake;
  doubts: Doubts;
  registry: Registry;
  networks: Networks;
  clock: Clock;
  audit: Audit;
}

/** The brake on mass loss, for the people who decide about it: organisers and admins. */
export class Brakes {
  constructor(private readonly parts: BrakesParts) {}

  private allow(actor: Actor): void {
    if (!may(actor.roles, 'organise')) throw new VillageError('not_allowed');
  }

  /** Every network, whether taking is stopped there, and what waits. Throws `not_allowed`. */
  async all(actor: Actor): Promise<BrakeState[]> {
    this.allow(actor);
    const { brake, networks, doubts, registry, clock, audit } = this.parts;
    return Promise.all(
      networks.all().map(async ({ id: network }) => {
        const [{ stop, release }, ripe, log] = await Promise.all([
          brake.stateOf(network),
          doubts.ripeOf(network, clock.now()),
          audit.about(`brake:${network}`, 10),
        ]);
        const most = await Promise.all(
          ripe.most.map(async ({ deed, fans }) => {
            const account = await registry.verifiedAccount(network, deed.split(':')[2] ?? '');
            return {
              deed,
              fans,
              athlete: account?.athlete.name ?? null,
              handle: account?.handle ?? null,
            };
          }),
        );
        return { network, stop, release, ripe: { ...ripe, most }, log };
      }),
    );
  }

  /**
   * A person has looked and lets taking go on: so many deeds as they saw and no more, and those are
   * asked about again first. Throws `not_allowed`, and `already_decided` when it is not stopped any
   * more or was stopped anew since they looked.
   */
  async letGo(
    actor: Actor,
    network: NetworkId,
    seen: { at: Date; deeds: number },
    reason: string,
  ): Promise<void> {
    this.allow(actor);
    if (!(await this.parts.brake.release(network, seen.at, actor.id, reason, seen.deeds)))
      throw new VillageError('already_decided', { state: 'free' });
    await this.parts.doubts.wake(network, this.parts.clock.now());
  }

  /** How much of a network's deeds an hour may take. Throws `not_allowed`. */
  async limits(actor: Actor): Promise<BrakeLimits> {
    this.allow(actor);
    return this.parts.brake.limits();
  }

  /** Sets it. Throws `not_allowed`. */
  async limit(actor: Actor, limits: BrakeLimits): Promise<void> {
    this.allow(actor);
    await this.parts.brake.limit(limits, actor.id);
  }

  /**
   * How many networks wait for a person to let taking go on: a number for the frame of staff's
   * pages.
   */
  async waiting(): Promise<number> {
    return (await this.parts.brake.stops()).size;
  }
}
