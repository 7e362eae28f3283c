import { Schema, type Connection, type Model, Types } from 'mongoose';
import type { Lock } from '../locks/service.js';
import { model } from '../platform/mongo.js';

/** A text in both languages. */
export interface Both {
  fr: string;
  en: string;
}
/**
 * An exclusive video. The media lie in `platform/files`; captions and transcript are short and lie
 * here. Kept whole.
 */
export interface VideoRecord {
  _id: string;
  title: Both;
  about: Both;
  athlete: string;
  lock: Lock;
  seconds: number;
  media: { file: Types.ObjectId; length: number; type: string };
  poster: { file: Types.ObjectId; length: number; type: string };
  captions: Both;
  transcript: Both;
  published: boolean;
  publishedAt: Date;
}
const both = { fr: String, en: String };
const file = { file: Schema.Types.ObjectId, length: Number, type: { type: String } };
const schema = new Schema<VideoRecord>({
  _id: String,
  title: both,
  about: both,
  athlete: String,
  lock: Schema.Types.Mixed,
  seconds: Number,
  media: file,
  poster: file,
  captions: both,
  transcript: both,
  published: Boolean,
  publishedAt: Date,
});
schema.index({ athlete: 1 });
schema.index({ published: 1, publishedAt: -1 });
/** The videos of a database. */
export const videoModel = (connection: Connection): Model<VideoRecord> =>
  model(connection, 'Video', schema, 'videos');
