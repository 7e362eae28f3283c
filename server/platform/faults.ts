import type { Log } from './logs.js';
import type { Metrics } from './metrics.js';

/**
 * Logs and counts errors that nobody caught, and lets the process go on: the last resort (ASVS
 * 16.5.4, RELIABILITY F19). Such an error belongs to a single request, socket, job or timer. All
 * that lasts is decided by the stores in single writes, so that nothing half-done is in memory for
 * others to build on, while an exit would make one client's fault everybody's. To be called once a
 * process has started: an error before that must end it.
 */
export function logUncaughtErrors(log: Log, metrics: Metrics): void {
  process.on('uncaughtException', (error, origin) => {
    metrics.faults.inc({ kind: origin });
    log.error({ err: error, origin }, 'an error that nobody caught');
  });
}
