import mongoose, { type Connection, type Types } from 'mongoose';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { VillageError } from '../errors.js';

const CHUNK_BYTES = 256 * 1024;

/** Where in a file: bytes `start` to `end`, both inclusive. */
export interface ByteRange {
  start: number;
  end: number;
}
export interface StoredFile {
  id: Types.ObjectId;
  length: number;
}

/** A piece of a file as GridFS keeps it, found by the unique (files_id, n). */
interface Chunk {
  files_id: Types.ObjectId;
  n: number;
  data: mongoose.mongo.Binary;
}

/** Large files in GridFS under made-up names, outside any web root (ASVS 5.3.1). */
export class Files {
  private readonly bucket: InstanceType<typeof mongoose.mongo.GridFSBucket>;
  private readonly chunks: mongoose.mongo.Collection<Chunk>;

  constructor(connection: Connection) {
    if (!connection.db) throw new Error('files: not connected');
    this.chunks = connection.db.collection<Chunk>('files.chunks');
    this.bucket = new mongoose.mongo.GridFSBucket(connection.db, {
      bucketName: 'files',
      chunkSizeBytes: CHUNK_BYTES,
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

  /**
   * The bytes of a range, a chunk at a time and each when it is asked for: the bucket's own stream
   * reads 16 MB ahead for every reader, also for one who takes nothing. Throws when a chunk is
   * missing.
   */
  async *read(id: Types.ObjectId, range: ByteRange): AsyncGenerator<Uint8Array> {
    for (let n = Math.floor(range.start / CHUNK_BYTES); n * CHUNK_BYTES <= range.end; n += 1) {
      const chunk = await this.chunks.findOne({ files_id: id, n }, { projection: { data: 1 } });
      if (!chunk) throw new Error(`a file lacks its chunk ${n}`);
      const from = n * CHUNK_BYTES;
      yield chunk.data.buffer.subarray(Math.max(0, range.start - from), range.end + 1 - from);
    }
  }

  async remove(id: Types.ObjectId): Promise<void> {
    await this.bucket.delete(id).catch(() => undefined);
  }
}

/**
 * The single range a header asks for (RFC 9110, 14.2): null for none or for several (the whole file
 * is then the right answer). Throws `bad_range` for one that lies outside.
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
  if (start >= length || start > end || (first === '' && Number(last) === 0))
    throw new VillageError('bad_range', { length });
  return { start, end };
}
