import { createApp } from './app.js';
import { ConfigError, readConfig, type Config } from './config.js';
import { createContext } from './context.js';
import { within } from './platform/clock.js';
import { logUncaughtErrors } from './platform/faults.js';
import { createAppServer } from './platform/server.js';
import { createSockets } from './sockets.js';
import { startWorker } from './worker.js';

/** How long a process that ends waits for answers under way, in ms. */
const DRAIN_MS = 10_000;

async function web(config: Config): Promise<() => Promise<void>> {
  const context = await createContext(config, 'web');
  const missing = await context.missingIndexes();
  if (missing.length > 0)
    throw new Error(`indexes are missing (run the release step): ${missing.join(', ')}`);
  const { server, serve } = createAppServer();
  serve(createApp(context));
  const sockets = createSockets(context, server);
  await context.points.start(false);
  context.search?.start();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.production ? '0.0.0.0' : '127.0.0.1', () => {
      resolve();
    });
  });
  logUncaughtErrors(context.log, context.metrics);
  context.log.info({ url: config.publicUrl }, 'web: ready');
  process.send?.({ ready: true });
  return async () => {
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    // Connections are kept open for long; those whose last answer is sent must not hold us up.
    const idle = setInterval(() => {
      server.closeIdleConnections();
    }, 50);
    await within(Promise.all([sockets.close(), closed]), DRAIN_MS);
    clearInterval(idle);
    await context.close();
  };
}

async function worker(config: Config): Promise<() => Promise<void>> {
  const context = await createContext(config, 'worker', { search: false });
  const { stop } = await startWorker(context);
  logUncaughtErrors(context.log, context.metrics);
  context.log.info('worker: ready');
  process.send?.({ ready: true });
  return stop;
}

async function release(config: Config): Promise<() => Promise<void>> {
  const context = await createContext(config, 'release', { search: false });
  await context.release();
  await context.close();
  return () => Promise.resolve();
}

const PROCESSES = { web, worker, release } as const;
const role = process.argv[2] ?? 'web';

try {
  const start = PROCESSES[role as keyof typeof PROCESSES] as
    ((config: Config) => Promise<() => Promise<void>>) | undefined;
  if (!start) throw new Error(`no such role: ${role} (web, worker, release)`);
  const stop = await start(readConfig(process.env));
  let stopping = false;
  const end = (): void => {
    if (stopping) return;
    stopping = true;
    stop().then(
      () => {
        process.exitCode = 0;
        setTimeout(() => process.exit(0), 1000).unref();
      },
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  // `npm start` started us: when it is gone, however it ended, we end too.
  process.once('disconnect', end);
  if (role === 'release') process.disconnect?.();
} catch (error) {
  const lines =
    error instanceof ConfigError
      ? error.problems
      : [error instanceof Error ? error.message : String(error)];
  for (const line of lines) process.stderr.write(`village ${role}: ${line}\n`);
  process.exit(1);
}
