import { chromium, type Browser } from 'playwright-core';
import { onPath } from '../../scripts/services/process.js';

const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Chromium from PATH, else the one that the npm package @sparticuz/chromium carries. */
export async function launch(): Promise<Browser> {
  const found = onPath('chromium') ?? onPath('chromium-browser') ?? onPath('google-chrome');
  if (found && !process.env['VILLAGE_CARRIED_BROWSER']) return chromium.launch({ executablePath: found, args: QUIET });
  const { default: carried } = await import('@sparticuz/chromium');
  return chromium.launch({ executablePath: await carried.executablePath(), args: [...carried.args.filter((arg) => !arg.startsWith('--headless')), ...QUIET] });
}
