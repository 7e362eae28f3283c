import { createHash, randomBytes } from 'node:crypto';
import { Schema, type Connection, type Model } from 'mongoose';
import type { Answer } from '../networks/network.js';
import { insertAll, model } from '../platform/mongo.js';

/** The private document behind an entry; erasing it with its salt leaves a hash that means nothing. */
interface EvidenceRecord {
  _id: string;
  fan: string;
  salt: string;
  network: string;
  account: string;
  verdict: string;
  askedAt: Date;
}
const schema = new Schema<EvidenceRecord>({ _id: String, fan: String, salt: String, network: String, account: String, verdict: String, askedAt: Date });
schema.index({ fan: 1 });

/** What networks answered, kept apart from the ledger because it is personal. */
export class Evidence {
  private readonly records: Model<EvidenceRecord>;

  constructor(connection: Connection) {
    this.records = model(connection, 'Evidence', schema, 'evidence');
  }

  /** Stores answers in one insert; gives the hash for each, in order. */
  async keep(fan: string, network: string, answers: Answer[]): Promise<string[]> {
    if (answers.length === 0) return [];
    const records = answers.map((answer): EvidenceRecord => {
      const salt = randomBytes(16).toString('base64url');
      const body = { fan, salt, network, account: answer.account, verdict: answer.verdict, askedAt: answer.askedAt };
      return { _id: createHash('sha256').update(JSON.stringify(body)).digest('hex'), ...body };
    });
    await insertAll(this.records, records, false);
    return records.map((one) => one._id);
  }
}
