import { Schema, type Connection, type Model } from 'mongoose';
import canonicalize from 'canonicalize';
import { VillageError } from '../errors.js';
import { BatchLoader } from '../platform/batch-loader.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import { SwrCache } from '../platform/swr-cache.js';
import { model } from '../platform/mongo.js';
import type { Signer } from '../platform/secrets.js';
import { NETWORKS, type NetworkId } from './network.js';

/**
 * How deeds on a network must be confirmed to earn: not at all (`off`), by the act on the hub's own
 * page, or by the network.
 */
export type CardMode = 'off' | 'hub' | 'confirmed';
/** The dated, signed policy document of a network (DESIGN 6.2). `id` = network and version. */
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

const FRESH_MS = 5000;
/**
 * What holds until somebody signs otherwise: X and Facebook forbid rewarding without an agreement,
 * so the hub's own page counts.
 */
const DEFAULTS: Record<NetworkId, Pick<Card, 'mode' | 'deeds'>> = {
  x: { mode: 'hub', deeds: ['follow'] },
  facebook: { mode: 'hub', deeds: ['like'] },
};
const text = (card: Card): string => canonicalize(card) ?? '';

/**
 * Which deeds earn on which network. No code path awards past a card; one whose signature is wrong
 * counts as absent.
 */
export class Cards {
  private readonly records: Model<CardRecord>;
  private readonly known: SwrCache<Map<string, Card>>;
  /**
   * Uncached, because a give re-reads its card when it is decided (LEDGER 4); a flush of the ledger
   * pays for one read.
   */
  private readonly stored: BatchLoader<Card>;
  /**
   * Signatures that were found good, with the words they stand for: the same card is not proved at
   * every read.
   */
  private readonly proved = new Map<string, string>();

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
    await this.records.create({ _id: id, ...rest, signature: this.signer.sign(text(card)) });
    this.known.invalidate();
    this.bus.tell('cards:changed', { network });
    return card;
  }

  /** Writes the default cards at the first start. */
  async seed(): Promise<void> {
    for (const network of NETWORKS) {
      if (!(await this.records.exists({ network })))
        await this.sign(network, DEFAULTS[network], 'first start').catch((error: unknown) => {
          if ((error as { code?: number }).code !== 11000) throw error;
        });
    }
  }

  /**
   * The newest card of each network whose signature is good. Versions say which is newer: a clock
   * that was set back revives no old card.
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
        const card = this.proven(last);
        if (card) return card;
        // Somebody wrote what nobody signed: the last that was signed still holds.
        return (await newest(0)).map((one) => this.proven(one)).find((one) => one !== null) ?? null;
      }),
    );
    return new Map(found.filter((one) => one !== null).map((card) => [card.network, card]));
  }

  private proven({ _id, signature, ...rest }: CardRecord): Card | null {
    const { network, version, mode, deeds, from, signedBy } = rest;
    const card: Card = { id: _id, network, version, mode, deeds: [...deeds], from, signedBy };
    const words = text(card);
    if (this.proved.get(signature) === words) return card;
    if (!this.signer.verify(words, signature)) return null;
    this.proved.set(signature, words);
    return card;
  }

  /**
   * The card in force, or null: the network is `off`. As the store had it five seconds ago at most;
   * for asking, never for giving.
   */
  async cached(network: NetworkId): Promise<Card | null> {
    const card = (await this.known.get('all', () => this.read(NETWORKS))).get(network);
    return card && card.mode !== 'off' ? card : null;
  }

  /** The card in force as the store has it now, or null: what a give is decided by. */
  async current(network: NetworkId): Promise<Card | null> {
    const card = await this.stored.load(network);
    return card && card.mode !== 'off' ? card : null;
  }

  /** The card in force that lets this deed earn, or `card_off`. */
  async require(network: NetworkId, deed: 'follow' | 'like'): Promise<Card> {
    const card = await this.cached(network);
    if (!card?.deeds.includes(deed)) throw new VillageError('card_off', { network });
    return card;
  }
}
