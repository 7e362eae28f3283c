import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import mongoose from 'mongoose';

interface DriverConnection {
  socket: Socket;
  error: Error | null;
  writeCommand(command: unknown, options: unknown): Promise<void>;
}

/**
 * Mends a hole of the MongoDB driver (7.5 to 7.9 looked at): between the end of a socket and its
 * `close` event a command may still be given to its connection. The write then answers false, the
 * driver waits for a `drain` that never comes, no timeout of its own runs, and the command never
 * settles: a store killed under load left requests unanswered for ever. And a write behind the end
 * that the other side has sent fails with the socket's own error, which no class of the driver's
 * holds. With this, a command whose socket is closed before it is written fails as any other that
 * the store did not answer.
 */
export function failWritesToClosedSockets(): void {
  // Of the very driver that mongoose uses: there may be two in a tree.
  const driver = createRequire(createRequire(import.meta.url).resolve('mongoose'));
  const { prototype } = (
    driver('mongodb/lib/cmap/connection.js') as { Connection: { prototype: DriverConnection } }
  ).Connection;
  const write = prototype.writeCommand;
  prototype.writeCommand = function writeUnlessClosed(command, options) {
    return new Promise((resolve, reject) => {
      const closed = (): void =>
        reject(
          this.error ??
            new mongoose.mongo.MongoNetworkError(
              'the connection was closed before the command was written',
            ),
        );
      if (this.socket.destroyed) return closed();
      this.socket.once('close', closed);
      write
        .call(this, command, options)
        .then(resolve, (error: unknown) => {
          // What a socket says whose other end has left comes as it is, and tells nobody that it
          // was the store's. While the socket lives the command itself was at fault.
          const { MongoError, MongoNetworkError } = mongoose.mongo;
          const asItIs = error instanceof MongoError || !this.socket.destroyed;
          reject(
            asItIs
              ? (error as Error)
              : new MongoNetworkError('the command could not be written', {
                  cause: error as Error,
                }),
          );
        })
        .finally(() => this.socket.off('close', closed));
    });
  };
}
