import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';

const DEADLINE_MS = 5000;
const BODY_LIMIT = 1_048_576;

/** One socket a request, cut after five seconds or a megabyte: no network can hold us up or fill us (RELIABILITY F10). */
function limit(socket: Duplex | null | undefined): void {
  if (!socket) return;
  let received = 0;
  const timer = setTimeout(() => {
    socket.destroy(new Error('the network took too long'));
  }, DEADLINE_MS);
  socket.on('data', (part: Buffer) => {
    received += part.length;
    if (received > BODY_LIMIT) socket.destroy(new Error('the network sent too much'));
  });
  socket.once('close', () => {
    clearTimeout(timer);
  });
}

class LimitedHttp extends http.Agent {
  override createConnection(...args: Parameters<http.Agent['createConnection']>): ReturnType<http.Agent['createConnection']> {
    const socket = super.createConnection(...args);
    limit(socket);
    return socket;
  }
}

class LimitedHttps extends https.Agent {
  override createConnection(...args: Parameters<https.Agent['createConnection']>): ReturnType<https.Agent['createConnection']> {
    const socket = super.createConnection(...args);
    limit(socket);
    return socket;
  }
}

/** The agent for libraries that speak to this origin. */
export const agentFor = (origin: string): http.Agent =>
  origin.startsWith('https:') ? new LimitedHttps({ keepAlive: false }) : new LimitedHttp({ keepAlive: false });

export interface Reply {
  status: number;
  headers: Headers;
  json: unknown;
}

/** A request whose answer must be JSON under the same limits; throws when it does not come, is too long or is no JSON. */
export async function requestJson(url: URL, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(DEADLINE_MS) });
  const parts: Uint8Array[] = [];
  let received = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    received += part.length;
    if (received > BODY_LIMIT) throw new Error('the network sent too much');
    parts.push(part);
  }
  return { status: response.status, headers: response.headers, json: JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown };
}

/**
 * Stops asking a network that fails: after five failures in a row nobody waits for it, until one try after ten seconds succeeds.
 */
export class Breaker {
  private failures = 0;
  private openUntil = 0;

  constructor(private readonly now: () => number) {}

  get open(): boolean {
    return this.now() < this.openUntil;
  }

  succeeded(): void {
    this.failures = 0;
    this.openUntil = 0;
  }

  failed(): void {
    this.failures += 1;
    if (this.failures >= 5) this.openUntil = this.now() + 10_000;
  }
}

/** A wait of about `ms`, as `try again` should be: doubled each time, with jitter. */
export const backoff = (tries: number): number => 150 * 2 ** tries * (0.5 + Math.random());
