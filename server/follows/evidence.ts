import { createHash, randomBytes } from 'node:crypto';
import { Schema, type Connection, type Model } from 'mongoose';
import type { Answer } from '../networks/network.js';
import { model } from '../platform/mongo.js';

/**
 * The private document behind entries: what a network answered in one check. Erasing it with its
 * salt leaves a hash that means nothing.
 */
export interface EvidenceRecord {
  _id: string;
  fan: string;
  salt: string;
  network: string;
  answers: Pick<Answer, 'account' | 'verdict' | 'askedAt'>[];
}
const schema = new Schema<EvidenceRecord>({
  _id: String,
  fan: String,
  salt: String,
  network: String,
  answers: [{ _id: false, account: String, verdict: String, askedAt: Date }],
});
schema.index({ fan: 1 });

/** What networks answered, kept apart from the ledger because it is personal. */
export class Evidence {
  private readonly records: Model<EvidenceRecord>;

  constructor(connection: Connection) {
    this.records = model(connection, 'Evidence', schema, 'evidence');
  }

  /** The document for answers that entries will be written on; they carry its hash, `_id`. */
  document(
    fan: string,
    network: string,
    answers: Pick<Answer, 'account' | 'verdict' | 'askedAt'>[],
  ): EvidenceRecord {
    const said = answers.map(({ account, verdict, askedAt }) => ({ account, verdict, askedAt }));
    const body = { fan, salt: randomBytes(16).toString('base64url'), network, answers: said };
    return { _id: createHash('sha256').update(JSON.stringify(body)).digest('hex'), ...body };
  }

  /** Stores a document. */
  async keep(document: EvidenceRecord): Promise<void> {
    await this.records.collection.insertOne(document as never);
  }
}
