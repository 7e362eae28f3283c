import { Schema, type Connection, type Model } from 'mongoose';
import canonicalize from 'canonicalize';
import { VillageError } from '../errors.js';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import { isDuplicate, model } from '../platform/mongo.js';
import type { Signer } from '../platform/secrets.js';
import { NETWORKS, type NetworkId } from './network.js';

/**
 * What it takes for a deed on a network to earn: nothing earns (`off`), the act on the hub's own
 * page is enough (`hub`), or the network must confirm it (`confirmed`).
 */
export type CardMode = 'off' | 'hub' | 'confirmed';

/** The dated, signed policy document of a network (DESIGN 6.2); its id is network and version. */
export interface Card {
  id: string;
  network: NetworkId;
  version: number;
  mode: CardMode;
  deeds: ('follow' | 'like')[];
  from: string;
  signedBy: string;
}

interface CardRecord extends Omit<Card, 'id'> {
  _id: string;
  signature: string;
}
const schema = new Schema<CardRecord>({
  _id: String,
  network: String,
  version: Number,
  mode: String,
  deeds: [String],
  from: String,
  signedBy: String,
  signature: String,
});
schema.index({ network: 1, version: -1 });

/** How old a cached card may be, in ms. */
const FRESH_MS = 5000;
/**
 * The first card of each network: X and Facebook forbid rewarding follows without an agreement, so
 * the act on the hub's own page counts.
 */
const DEFAULTS: Record<NetworkId, Pick<Card, 'mode' | 'deeds'>> = {
  x: { mode: 'hub', deeds: ['follow'] },
  facebook: { mode: 'hub', deeds: ['like'] },
};
/** The text that is signed. */
const textOf = (card: Card): string => canonicalize(card) ?? '';

/**
 * Says which deeds earn on which network. No code path awards past a card, and a card with a wrong
 * signature counts as absent.
 */
export class Cards {
  private readonly records: Model<CardRecord>;
  private readonly known: SwrCache<Map<string, Card>>;
  /**
   * Not cached, because a point is given by the card in force at that instant (LEDGER 4); a flush
   * of the ledger pays for a single read.
   */
  private readonly stored: BatchLoader<Card>;
  /** Good signatures by the text they sign, so that the same card is not verified at every read. */
  private readonly verified = new Map<string, string>();

  constructor(
    connection: Connection,
    private readonly signer: Signer,
    private readonly bus: Bus,
    private readonly clock: Clock,
  ) {
    this.records = model(connection, 'Card', schema, 'cards');
    this.known = new SwrCache(FRESH_MS, 1, () => clock.now().getTime());
    this.stored = new BatchLoader((networks) => this.read(networks));
    bus.on('cards:changed', () => {
      this.known.invalidate();
    });
  }

  /** Signs the next version of a network's card. */
  async sign(network: NetworkId, policy: Pick<Card, 'mode' | 'deeds'>, by: string): Promise<Card> {
    const last = await this.records.findOne({ network }).sort({ version: -1 }).lean();
    const version = (last?.version ?? 0) + 1;
    const card: Card = {
      id: `${network}@${version}`,
      network,
      version,
      mode: policy.mode,
      deeds: policy.deeds,
      from: this.clock.now().toISOString(),
      signedBy: by,
    };
    const { id, ...rest } = card;
    await this.records.create({ _id: id, ...rest, signature: this.signer.sign(textOf(card)) });
    this.known.invalidate();
    this.bus.tell('cards:changed', { network });
    return card;
  }

  /** Signs the default card of every network that has none; for the first start. */
  async seed(): Promise<void> {
    for (const network of NETWORKS) {
      if (!(await this.records.exists({ network })))
        await this.sign(network, DEFAULTS[network], 'first start').catch((error: unknown) => {
          if (!isDuplicate(error)) throw error;
        });
    }
  }

  /**
   * Reads the newest card of each network whose signature is good. Newer is the higher version: a
   * clock that was set back revives no old card.
   */
  private async read(networks: readonly string[]): Promise<Map<string, Card>> {
    const found = await Promise.all(
      networks.map(async (network) => {
        const newest = (most: number) =>
          this.records.collection
            .find<CardRecord>(
              { network },
              { readConcern: { level: 'majority' }, sort: { version: -1 }, limit: most },
            )
            .toArray();
        const [last] = await newest(1);
        if (!last) return null;
        const card = this.verify(last);
        if (card) return card;
        // Somebody wrote a card that nobody signed: the last signed one still holds.
        const cards = (await newest(0)).map((record) => this.verify(record));
        return cards.find((earlier) => earlier !== null) ?? null;
      }),
    );
    return new Map(found.filter((card) => card !== null).map((card) => [card.network, card]));
  }

  private verify({ _id, signature, ...rest }: CardRecord): Card | null {
    const { network, version, mode, deeds, from, signedBy } = rest;
    const card: Card = { id: _id, network, version, mode, deeds: [...deeds], from, signedBy };
    const signedText = textOf(card);
    if (this.verified.get(signedText) === signature) return card;
    if (!this.signer.verify(signedText, signature)) return null;
    this.verified.set(signedText, signature);
    return card;
  }

  /**
   * The card in force, or null when the network is `off`, as it was at most five seconds ago:
   * enough for asking a network, never for giving a point.
   */
  async cached(network: NetworkId): Promise<Card | null> {
    const card = (await this.known.get('all', () => this.read(NETWORKS))).get(network);
    return card && card.mode !== 'off' ? card : null;
  }

  /** The card in force as the store has it now, or null: it decides whether a point is given. */
  async current(network: NetworkId): Promise<Card | null> {
    const card = await this.stored.load(network);
    return card && card.mode !== 'off' ? card : null;
  }

  /** The card in force, if it lets this deed earn. Throws `card_off` otherwise. */
  async require(network: NetworkId, deed: 'follow' | 'like'): Promise<Card> {
    const card = await this.cached(network);
    if (!card?.deeds.includes(deed)) throw new VillageError('card_off', { network });
    return card;
  }
}
