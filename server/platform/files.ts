import mongoose, { type Connection, type Types } from 'mongoose';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { VillageError } from '../errors.js';

/** Where in a file: bytes `start` to `end`, both inclusive. */
export interface ByteRange {
  start: number;
  end: number;
}
export interface StoredFile {
  id: Types.ObjectId;
  length: number;
}

/** Large files in GridFS under made-up names, outside any web root (ASVS 5.3.1). */
export class Files {
  private readonly bucket: InstanceType<typeof mongoose.mongo.GridFSBucket>;

  constructor(connection: Connection) {
    if (!connection.db) throw new Error('files: not connected');
    this.bucket = new mongoose.mongo.GridFSBucket(connection.db, {
      bucketName: 'files',
      chunkSizeBytes: 256 * 1024,
      writeConcern: { w: 'majority', journal: true },
    });
  }

  /** Stores a whole stream; nothing is visible of one that broke off. */
  async put(name: string, source: Readable): Promise<StoredFile> {
    const upload = this.bucket.openUploadStream(name);
    try {
      await pipeline(source, upload);
    } catch (error) {
      await upload.abort().catch(() => undefined);
      throw error;
    }
    return { id: new mongoose.Types.ObjectId(upload.id.toString()), length: upload.length };
  }

  /** The bytes of a range; the store is read as the client takes them. */
  read(id: Types.ObjectId, range: ByteRange): Readable {
    return this.bucket.openDownloadStream(id, { start: range.start, end: range.end + 1 });
  }

  async remove(id: Types.ObjectId): Promise<void> {
    await this.bucket.delete(id).catch(() => undefined);
  }
}

/**
 * The single range a header asks for (RFC 9110, 14.2): null for none or for several (the whole file is then the right answer).
 * Throws `bad_range` for one that lies outside.
 */
export function byteRange(header: string | undefined, length: number): ByteRange | null {
  if (header === undefined) return null;
  const match = /^bytes=(\d*)-(\d*)$/.exec(header.trim());
  if (!match || (match[1] === '' && match[2] === '')) {
    if (/^bytes=[\d\s,-]+$/.test(header.trim()) && header.includes(',')) return null;
    throw new VillageError('bad_range', { length });
  }
  const [, first = '', last = ''] = match;
  const start = first === '' ? Math.max(0, length - Number(last)) : Number(first);
  const end = first === '' || last === '' ? length - 1 : Math.min(Number(last), length - 1);
  if (start >= length || start > end || (first === '' && Number(last) === 0)) throw new VillageError('bad_range', { length });
  return { start, end };
}
