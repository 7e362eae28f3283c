/**
 * `node scripts/run.mjs NAME …args`: gets the folder ready (packages, build), then runs scripts/NAME.ts.
 * Plain JavaScript without imports from packages, because on a fresh machine there are none yet.
 */
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { getReady, root } from './setup.mjs';

const name = process.argv[2] ?? 'start';
try {
  await getReady();
} catch (error) {
  process.stderr.write(`village: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
process.argv.splice(2, 1);
await import(pathToFileURL(join(root, 'build', 'scripts', `${name}.js`)).href);
