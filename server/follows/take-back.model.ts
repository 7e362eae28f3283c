import { Schema, type Connection, type Model } from 'mongoose';
import { model } from '../platform/mongo.js';

/** When and why taking back stopped on a network. */
export interface TakeBackStop {
  at: Date;
  /** Deeds taken back in the hour before it. */
  taken: number;
  /** Deeds that would have been too many. */
  wanted: number;
  /** Deeds held on the network; 0 when they were not counted. */
  held: number;
  /** How many of them an hour may take back. */
  limit: number;
}
/** A person's decision to let taking back go on. */
export interface TakeBackRelease {
  at: Date;
  by: string;
  reason: string;
  /** Deeds that it lets be taken back. */
  deeds: number;
}
/** What is counted of one network. One document counts for all processes. */
export interface TakeBackRecord {
  /** The network. */
  _id: string;
  /** Deeds taken back, by slices of five minutes. */
  slices: Record<string, number>;
  /** Grows with each count, so that whoever counts knows whether another one did meanwhile. */
  counted: number;
  stop: TakeBackStop | null;
  release: TakeBackRelease | null;
  /** Deeds that a person released and that are not taken back yet, and until when they may be. */
  slack: number;
  slackUntil: Date | null;
}

const schema = new Schema<TakeBackRecord>({
  _id: String,
  slices: Schema.Types.Mixed,
  counted: Number,
  stop: Schema.Types.Mixed,
  release: Schema.Types.Mixed,
  slack: Number,
  slackUntil: Date,
});

/** The counts of a connection, a network each. */
export const takeBackModel = (connection: Connection): Model<TakeBackRecord> =>
  model(connection, 'TakeBack', schema, 'take_backs');
