/**
 * `npm run hub -- COMMAND`: for people who run a hub. Speaks to the running one, or to the stores
 * of the settings.
 */
import { CommanderError } from 'commander';
import { ConfigError, readConfig } from '../server/config.js';
import { createContext } from '../server/context.js';
import { note } from './hub/output.js';
import { exitCodeOf, hubProgram } from './hub/program.js';
import { settingsFor } from './hub/settings.js';
import type { Work } from './hub/work.js';
import type { Service } from './services/process.js';

const services: Service[] = [];
const stopped = new AbortController();
let exitCode = 0;

async function stop(): Promise<void> {
  stopped.abort();
  await Promise.all(services.map((service) => service.stop()));
}

/** Runs a command's work at the hub, and waits until scores and boards know of it. */
async function execute(name: string, work: Work): Promise<void> {
  const env = await settingsFor(name, services, stopped.signal);
  const context = await createContext(readConfig({ ...env, LOG_LEVEL: 'error' }), 'hub', {
    search: false,
  });
  if (services.length > 0 || !process.env['VILLAGE_IMPORT_MARK']) await context.release();
  exitCode = await work(context);
  await context.points.settled();
  await context.close();
}

process.once('disconnect', () => process.exit(1));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    void stop().finally(() => process.exit(1));
  });
try {
  const program = hubProgram(execute);
  if (process.argv.length > 2) await program.parseAsync();
  else program.outputHelp();
} catch (error) {
  if (error instanceof CommanderError) exitCode = exitCodeOf(error);
  else {
    const problems =
      error instanceof ConfigError
        ? error.problems
        : [error instanceof Error ? error.message : String(error)];
    for (const line of problems) note(`village hub: ${line}`);
    exitCode = 1;
  }
}
await stop();
process.exit(exitCode);
