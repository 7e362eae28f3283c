import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import { createAppServer } from '../../server/platform/server.js';
import { control } from './control.js';
import { graph } from './facebook/graph.js';
import { facebookPages } from './facebook/login.js';
import { OAuth } from './oauth.js';
import { World } from './world.js';
import { xSandbox } from './x/api.js';

/** How the sandbox networks are started. */
export interface SandboxOptions {
  port: number;
  /** Where the world is kept; null keeps nothing. */
  file: string | null;
  /** What the control plane asks for in `x-sandbox-token`. */
  token: string;
  clients: { x: { id: string; secret: string }; facebook: { id: string; secret: string } };
  redirects: { x: string[]; facebook: string[] };
}
/** Sandbox networks that run. */
export interface Sandbox {
  url: string;
  token: string;
  networks: { x: string; facebook: string; facebookGraph: string };
  world: World;
  oauths: { x: OAuth; facebook: OAuth };
  close(): Promise<void>;
}

const listen = (app: Express, port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const { server, serve } = createAppServer();
    serve(app);
    server.once('error', reject);
    // This machine only, always.
    server.listen(port, '127.0.0.1', () => {
      resolve(server);
    });
  });
const urlOf = (server: Server): string =>
  `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/**
 * Starts the sandbox networks: control plane on `port`, X on +1, Facebook's pages and Graph on +2
 * and +3 (0: any free ports).
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  if (process.env['NODE_ENV'] === 'production')
    throw new Error('the sandbox networks do not run in production');
  const world = new World(options.file);
  const oauths = {
    x: new OAuth('x', world, options.clients.x, new Set(options.redirects.x)),
    facebook: new OAuth(
      'facebook',
      world,
      options.clients.facebook,
      new Set(options.redirects.facebook),
    ),
  };
  const place = (offset: number): number => (options.port === 0 ? 0 : options.port + offset);
  let pages = '';
  const servers: Server[] = [];
  try {
    servers.push(await listen(control(world, Object.values(oauths), options.token), place(0)));
    servers.push(await listen(xSandbox(world, oauths.x), place(1)));
    servers.push(await listen(facebookPages(world, oauths.facebook), place(2)));
    pages = urlOf(servers[2] as Server);
    servers.push(
      await listen(
        graph(world, oauths.facebook, () => pages),
        place(3),
      ),
    );
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
  const [plane, x, , graphServer] = servers as [Server, Server, Server, Server];
  return {
    url: urlOf(plane),
    token: options.token,
    networks: { x: urlOf(x), facebook: pages, facebookGraph: urlOf(graphServer) },
    world,
    oauths,
    close: async () => {
      world.write();
      await Promise.all(
        servers.map(
          (server) =>
            new Promise((resolve) => {
              server.closeAllConnections();
              server.close(resolve);
            }),
        ),
      );
    },
  };
}
