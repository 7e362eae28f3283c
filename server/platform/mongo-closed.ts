import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import mongoose from 'mongoose';

/** The part of the driver's connection that is mended. */
interface DriverConnection {
  socket: Socket;
  error: Error | null;
  writeCommand(command: unknown, options: unknown): Promise<void>;
}

/**
 * Mends a fault of the MongoDB driver (7.5 to 7.9 were read). Between the end of a socket and its
 * `close` event a command may still be written to it: `write` then returns false, the driver waits
 * for a `drain` that never comes, none of its timeouts runs, and the command never settles. A store
 * killed under load left requests unanswered for ever. Also, a write after the other side has ended
 * the socket fails with the socket's own error instead of one of the driver's. With this, a command
 * whose socket closes before it is written fails like any other that the store did not answer.
 */
export function failWritesToClosedSockets(): void {
  // The very driver that mongoose uses: there may be two in `node_modules`.
  const driver = createRequire(createRequire(import.meta.url).resolve('mongoose'));
  const { prototype } = (
    driver('mongodb/lib/cmap/connection.js') as { Connection: { prototype: DriverConnection } }
  ).Connection;
  const write = prototype.writeCommand;
  prototype.writeCommand = function writeUnlessClosed(command, options) {
    return new Promise((resolve, reject) => {
      const failClosed = (): void =>
        reject(
          this.error ??
            new mongoose.mongo.MongoNetworkError(
              'the connection was closed before the command was written',
            ),
        );
      if (this.socket.destroyed) return failClosed();
      this.socket.once('close', failClosed);
      write
        .call(this, command, options)
        .then(resolve, (error: unknown) => {
          // The error of a socket whose other end has left does not say that the store was away.
          // While the socket lives the command itself was at fault.
          const { MongoError, MongoNetworkError } = mongoose.mongo;
          const cause = error as Error;
          const isClear = error instanceof MongoError || !this.socket.destroyed;
          reject(
            isClear ? cause : new MongoNetworkError('the command could not be written', { cause }),
          );
        })
        .finally(() => this.socket.off('close', failClosed));
    });
  };
}
