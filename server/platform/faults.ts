import type { Log } from './logs.js';
import type { Metrics } from './metrics.js';

/**
 * The last resort (ASVS 16.5.4, RELIABILITY F19): an error that nobody caught is written down with
 * its stack and counted, and the process goes on. It belongs to one request, socket, job or timer;
 * everything lasting is decided by the stores in single writes, so there is nothing half-done in
 * memory that others would build on, and an end would make one client's fault everybody's. It is
 * set once a process has started: what goes wrong before that must end it.
 */
export function logUncaughtErrors(log: Log, metrics: Metrics): void {
  process.on('uncaughtException', (error, origin) => {
    metrics.faults.inc({ kind: origin });
    log.error({ err: error, origin }, 'an error that nobody caught');
  });
}
