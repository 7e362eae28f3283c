import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { createApp } from '../../server/app.js';
import { readConfig } from '../../server/config.js';
import { createContext, type Context, type Overrides } from '../../server/context.js';
import { createAppServer } from '../../server/platform/server.js';
import { createSockets } from '../../server/sockets.js';
import type { World } from './world.js';

/**
 * A second web process of a world's hub, as far as its stores and clients can tell: a context, an
 * app, a server and sockets of its own.
 */
export interface Beside {
  url: string;
  context: Context;
  close(): Promise<void>;
}

/** Starts one on a free port, with other settings where given. */
export async function startBeside(
  world: World,
  env: NodeJS.ProcessEnv = {},
  overrides: Overrides = {},
): Promise<Beside> {
  const { server, serve } = createAppServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const port = String((server.address() as AddressInfo).port);
  const url = `http://127.0.0.1:${port}`;
  const config = readConfig({ ...world.env, PORT: port, PUBLIC_URL: url, ...env });
  const context = await createContext(config, 'beside', {
    log: pino({ level: 'silent' }),
    search: false,
    limitScale: 1000,
    ...overrides,
  });
  serve(createApp(context));
  const sockets = createSockets(context, server);
  return {
    url,
    context,
    close: async () => {
      await sockets.close();
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
      await context.close();
    },
  };
}
