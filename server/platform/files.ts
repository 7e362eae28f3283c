import mongoose, { type Connection, type Types } from 'mongoose';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const CHUNK_BYTES = 256 * 1024;

/** A part of a file: its bytes `start` to `end`, both inclusive. */
export interface ByteRange {
  start: number;
  end: number;
}
/** A file in the store, and its length in bytes. */
export interface StoredFile {
  id: Types.ObjectId;
  length: number;
}

/** A piece of a file as GridFS keeps it, found by its unique key (files_id, n). */
interface Chunk {
  files_id: Types.ObjectId;
  n: number;
  data: mongoose.mongo.Binary;
}

/** Stores large files in GridFS under made-up names, outside any web root (ASVS 5.3.1). */
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

  /**
   * Stores what a stream delivers. Nothing is left of a stream that fails, whose error is thrown.
   */
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
   * Reads a range, chunk by chunk, each when it is asked for: the bucket's own stream reads 16 MB
   * ahead for every reader, also for one who takes nothing. Throws when a chunk is missing.
   */
  async *read(id: Types.ObjectId, range: ByteRange): AsyncGenerator<Uint8Array> {
    for (let n = Math.floor(range.start / CHUNK_BYTES); n * CHUNK_BYTES <= range.end; n += 1) {
      const chunk = await this.chunks.findOne({ files_id: id, n }, { projection: { data: 1 } });
      if (!chunk) throw new Error(`a file lacks its chunk ${n}`);
      const from = n * CHUNK_BYTES;
      yield chunk.data.buffer.subarray(Math.max(0, range.start - from), range.end + 1 - from);
    }
  }

  /** Removes a file; does nothing when there is none. */
  async remove(id: Types.ObjectId): Promise<void> {
    await this.bucket.delete(id).catch(() => undefined);
  }
}
