import { Schema, type Connection, type Model } from 'mongoose';
import canonicalize from 'canonicalize';
import { VillageError } from '../errors.js';
import type { Bus } from '../platform/bus.js';
import type { Clock } from '../platform/clock.js';
import { Fresh } from '../platform/fresh.js';
import { model } from '../platform/mongo.js';
import type { Signer } from '../platform/secrets.js';
import { NETWORKS, type NetworkId } from './network.js';

/** How deeds on a network must be confirmed to earn: not at all (`off`), by the act on the hub's own page, or by the network. */
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
/** What holds until somebody signs otherwise: X and Facebook forbid rewarding without an agreement, so the hub's own page counts. */
const DEFAULTS: Record<NetworkId, Pick<Card, 'mode' | 'deeds'>> = { x: { mode: 'hub', deeds: ['follow'] }, facebook: { mode: 'hub', deeds: ['like'] } };
const text = (card: Card): string => canonicalize(card) ?? '';

/** Which deeds earn on which network. No code path awards past a card; one whose signature is wrong counts as absent. */
export class Cards {
  private readonly records: Model<CardRecord>;
  private readonly known: Fresh<Map<NetworkId, Card>>;

  constructor(
    connection: Connection,
    private readonly signer: Signer,
    private readonly bus: Bus,
    private readonly clock: Clock,
  ) {
    this.records = model(connection, 'Card', schema, 'cards');
    this.known = new Fresh(FRESH_MS, 1, () => clock.now().getTime());
    bus.on('cards:changed', () => {
      this.known.forget();
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
    this.known.forget();
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

  private async read(): Promise<Map<NetworkId, Card>> {
    const now = this.clock.now().toISOString();
    const cards = new Map<NetworkId, Card>();
    for (const { _id, signature, ...rest } of await this.records
      .find({ from: { $lte: now } })
      .sort({ version: 1 })
      .lean()) {
      const card: Card = {
        id: _id,
        network: rest.network,
        version: rest.version,
        mode: rest.mode,
        deeds: [...rest.deeds],
        from: rest.from,
        signedBy: rest.signedBy,
      };
      if (this.signer.verify(text(card), signature)) cards.set(card.network, card);
    }
    return cards;
  }

  /** The card in force, or null: the network is `off`. */
  async of(network: NetworkId): Promise<Card | null> {
    const card = (await this.known.get('all', () => this.read())).get(network);
    return card && card.mode !== 'off' ? card : null;
  }

  /** The card in force that lets this deed earn, or `card_off`. */
  async require(network: NetworkId, deed: 'follow' | 'like'): Promise<Card> {
    const card = await this.of(network);
    if (!card?.deeds.includes(deed)) throw new VillageError('card_off', { network });
    return card;
  }
}
