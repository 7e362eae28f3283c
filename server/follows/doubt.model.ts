import { Schema, type Connection, type Model } from 'mongoose';
import { model } from '../platform/mongo.js';
import type { Doubt } from './doubt.js';

/** What a give that waits was decided under, to be verified again when its day has come. */
export interface WaitingCommand {
  account: string;
  accountRecord: string;
  epoch: number;
  athlete: string;
  disciplines: string[];
  card: string;
  link: string | null;
  cause: string;
}

/** A give that a limit holds back until `notBefore`. */
export interface WaitingGive {
  fan: string;
  network: string;
  deed: string;
  turn: number;
  notBefore: Date;
  command: WaitingCommand;
}

/** A doubt as it is stored: one a fan and deed. */
export interface DoubtRecord extends Doubt {
  /** Fan and deed. */
  _id: string;
  fan: string;
  network: string;
  deed: string;
  /** From when on a give may come, or the network is asked again about its no. */
  notBefore: Date | null;
  /** How often the network was asked again about its no, in vain. */
  tries: number;
  command: WaitingCommand | null;
  expires: Date | null;
}

const schema = new Schema<DoubtRecord>({
  _id: String,
  fan: String,
  network: String,
  deed: String,
  turn: Number,
  state: String,
  askedAt: Date,
  noRound: Number,
  yesRound: Number,
  notBefore: Date,
  tries: Number,
  undone: Boolean,
  command: Schema.Types.Mixed,
  expires: Date,
});
schema.index({ fan: 1, network: 1 });
schema.index({ state: 1, notBefore: 1 });
schema.index({ network: 1, state: 1 });
schema.index({ expires: 1 }, { expireAfterSeconds: 0 });

/** The doubts of a connection. */
export const doubtModel = (connection: Connection): Model<DoubtRecord> =>
  model(connection, 'Doubt', schema, 'doubts');
