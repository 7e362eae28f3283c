/**
 * A process of its own that does jobs of the kind `effect`: each leaves a line in the collection
 * `effects`, and takes a while.
 */
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext } from '../../server/context.js';

const context = await createContext(readConfig(process.env), 'jobs', {
  log: pino({ level: 'silent' }),
  search: false,
});
context.jobs.handle(
  'effect',
  { concurrency: 4, backoffMs: 100 },
  async ({ n }: { n: number }, signal) => {
    await context.connection.collection('effects').insertOne({ n, by: process.pid });
    await new Promise<void>((resolve) => {
      const done = setTimeout(resolve, 50);
      signal.addEventListener('abort', () => {
        clearTimeout(done);
        resolve();
      });
    });
    return null;
  },
);
await context.jobs.start();
process.once('SIGTERM', () => void context.close().then(() => process.exit(0)));
process.send?.({ ready: true });
