import type { Fans } from '../fans/service.js';
import type { Card, CardMode, Cards } from '../networks/cards.js';
import type { NetworkId } from '../networks/network.js';
import type { Networks } from '../networks/service.js';
import type { Clock } from '../platform/clock.js';
import { readDeed, type Cause, type Command } from '../points/service.js';
import type { Registry, VerifiedAccount } from '../registry/service.js';
import { cardText } from './card-text.js';
import { accountDeed } from './deeds.js';
import type { DoubtRecord, WaitingGive } from './doubt.model.js';

/** Why an account's deed is given. */
export type GiveCause = Extract<Cause, 'hub_click' | 'network_yes'>;

/** The card that each reason for a give needs; a cause that is not named gives nothing. */
const MODE_NEEDED: Partial<Record<Cause, CardMode>> = {
  hub_click: 'hub',
  network_yes: 'confirmed',
};

/** What a give is decided under: all of it must still stand when the ledger writes it. */
interface Grounds {
  account: Pick<VerifiedAccount, 'id' | 'network' | 'epoch'> & { athlete: { id: string } };
  card: string;
  cause: Cause;
  link: string | null;
}

/** How an account's deed is given. */
export interface Give {
  fan: string;
  account: VerifiedAccount;
  card: Card;
  cause: GiveCause;
  askedAt: Date;
  /** The identity link that backs it; none under a `hub` card. */
  link?: string;
  evidence?: string;
  /** The turn that its asker last saw. */
  seen?: number | undefined;
  related?: Command['related'] | undefined;
}

/** How a held deed is taken back. */
export interface Take {
  fan: string;
  deed: string;
  /** The even turn that takes it back. */
  turn: number;
  cause: Cause;
  askedAt: Date;
  /** The card text of the give before it: no card in force now can hinder a take-back. */
  card: string;
  link?: string | null;
  evidence?: string | null;
}

/** The commands that this room gives the ledger. */
export class LedgerCommands {
  constructor(
    private readonly parts: {
      fans: Fans;
      cards: Cards;
      networks: Networks;
      registry: Registry;
      clock: Clock;
    },
  ) {}

  /** A command to give an account's deed, guarded by what it was decided under. */
  give({ fan, account, card, cause, askedAt, link, evidence, seen, related }: Give): Command {
    const grounds = { account, card: cardText(card), cause, link: link ?? null };
    return {
      fan,
      deed: accountDeed(this.parts.networks, account),
      want: 'give',
      cause,
      act: null,
      askedAt,
      link: grounds.link,
      evidence: evidence ?? null,
      card: grounds.card,
      ...(seen === undefined ? {} : { seen }),
      ...(related === undefined ? {} : { related }),
      facts: {
        account: account.accountId,
        on: 'account',
        athlete: account.athlete.id,
        disciplines: account.athlete.disciplines,
      },
      stands: () => this.stands(fan, grounds),
    };
  }

  /**
   * A command to give what waited for its day, guarded by what it was decided under then; null when
   * that is not known.
   */
  waited({ fan, deed, turn, network, command }: DoubtRecord): Command | null {
    if (!command) return null;
    const { account, athlete, disciplines, card, link, accountRecord, epoch } = command;
    const cause = command.cause as Cause;
    const grounds: Grounds = {
      account: {
        id: accountRecord,
        network: network as NetworkId,
        epoch,
        athlete: { id: athlete },
      },
      card,
      cause,
      link,
    };
    return {
      fan,
      deed,
      want: { turn },
      cause,
      act: null,
      askedAt: this.parts.clock.now(),
      link,
      evidence: null,
      card,
      facts: { account, on: 'account', athlete, disciplines },
      stands: () => this.stands(fan, grounds),
    };
  }

  /** A command to take a deed back. */
  take({ fan, deed, turn, cause, askedAt, card, link, evidence }: Take): Command {
    return {
      fan,
      deed,
      want: { turn },
      cause,
      act: null,
      askedAt,
      card,
      link: link ?? null,
      evidence: evidence ?? null,
      // The ledger copies the facts of turn 1 into every later turn.
      facts: { account: readDeed(deed).id, on: 'account', athlete: '', disciplines: [] },
    };
  }

  /** A give that a limit holds back, as it is kept until `notBefore`. */
  waiting(
    { fan, account, card, cause, link }: Pick<Give, 'fan' | 'account' | 'card' | 'cause' | 'link'>,
    turn: number,
    notBefore: Date,
  ): WaitingGive {
    return {
      fan,
      network: account.network,
      deed: accountDeed(this.parts.networks, account),
      turn,
      notBefore,
      command: {
        account: account.accountId,
        accountRecord: account.id,
        epoch: account.epoch,
        athlete: account.athlete.id,
        disciplines: account.athlete.disciplines,
        card: cardText(card),
        link: link ?? null,
        cause,
      },
    };
  }

  /**
   * The one guard that no path awards past, evaluated when the ledger decides (LEDGER 4): the card
   * is still the one in force, lets this deed earn, and confirms deeds the way this one was
   * confirmed; link and epoch stand; the account is not the fan's own. All of it is read from the
   * store, nothing from a cache.
   */
  private async stands(fan: string, { account, card, cause, link }: Grounds): Promise<boolean> {
    const { registry, cards, fans, networks } = this.parts;
    const [mayEarn, inForce, isLinked] = await Promise.all([
      registry.mayEarn(fan, account),
      cards.current(account.network),
      link === null || fans.identities.linkStands(fan, link),
    ]);
    const allows =
      inForce !== null &&
      cardText(inForce) === card &&
      inForce.deeds.includes(networks.adapter(account.network).accountDeed) &&
      inForce.mode === MODE_NEEDED[cause];
    return mayEarn && allows && isLinked && (inForce.mode !== 'confirmed' || link !== null);
  }
}
