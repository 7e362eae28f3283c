/**
 * The sandbox networks as a program of their own. Settings come as one JSON text in
 * SANDBOX_OPTIONS.
 */
import { startSandbox, type SandboxOptions } from './start.js';

try {
  const sandbox = await startSandbox(
    JSON.parse(process.env['SANDBOX_OPTIONS'] ?? '{}') as SandboxOptions,
  );
  process.send?.({ ready: true, url: sandbox.url, networks: sandbox.networks });
  const end = (): void => {
    void sandbox.close().finally(() => process.exit(0));
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  process.once('disconnect', end);
} catch (error) {
  process.stderr.write(
    `village sandbox: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exit(1);
}
