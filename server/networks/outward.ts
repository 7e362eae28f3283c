import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { NetworkError, type NetworkErrorCode, type NetworkId } from './network.js';

const DEADLINE_MS = 5000;
const BODY_LIMIT = 1_048_576;

/**
 * One socket a request, cut after five seconds or a megabyte: no network can hold us up or fill us
 * (RELIABILITY F10).
 */
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
  override createConnection(
    ...args: Parameters<http.Agent['createConnection']>
  ): ReturnType<http.Agent['createConnection']> {
    const socket = super.createConnection(...args);
    limit(socket);
    return socket;
  }
}

class LimitedHttps extends https.Agent {
  override createConnection(
    ...args: Parameters<https.Agent['createConnection']>
  ): ReturnType<https.Agent['createConnection']> {
    const socket = super.createConnection(...args);
    limit(socket);
    return socket;
  }
}

/** The agent for libraries that speak to this origin. */
export const agentFor = (origin: string): http.Agent =>
  origin.startsWith('https:')
    ? new LimitedHttps({ keepAlive: false })
    : new LimitedHttp({ keepAlive: false });

export interface Reply {
  status: number;
  headers: Headers;
  json: unknown;
}

/**
 * A request whose answer must be JSON under the same limits; throws when it does not come, is too
 * long or is no JSON.
 */
export async function requestJson(url: URL, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(url, {
    ...init,
    redirect: 'error',
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const parts: Uint8Array[] = [];
  let received = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    received += part.length;
    if (received > BODY_LIMIT) throw new Error('the network sent too much');
    parts.push(part);
  }
  return {
    status: response.status,
    headers: response.headers,
    json: JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown,
  };
}

/** Hears what came of each request to a network. */
export type Heard = (network: NetworkId, outcome: NetworkErrorCode | 'ok') => void;

const FAILURES = 5;
const PAUSE_MS = 10_000;
/** A wait before trying again: about 150 ms, doubled each time, with jitter. */
const backoff = (tries: number): number => 150 * 2 ** tries * (0.5 + Math.random());

/**
 * The one road to a network: a failure is tried once more, and after five failures in a row nobody
 * waits for the network until one try after ten seconds succeeds (RELIABILITY F10). What is refused
 * (a limit, a dead token) is an answer, not a failure.
 */
export class CircuitBreaker {
  private failures = 0;
  private closedUntil = 0;

  /**
   * @param asError what a network's or library's error means @param heard counts what came of each
   * request
   */
  constructor(
    private readonly network: NetworkId,
    private readonly now: () => number,
    private readonly asError: (error: unknown) => NetworkError,
    private readonly heard: Heard,
  ) {}

  /** Asks, and throws only NetworkErrors. */
  async execute<T extends object>(question: () => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries += 1) {
      // Never longer than the pause: a clock that was set back closes no road for an hour.
      const left = this.closedUntil - this.now();
      if (left > 0 && left <= PAUSE_MS)
        throw new NetworkError(
          this.network,
          'network_down',
          'it has failed several times in a row',
        );
      try {
        const answer = await question();
        // Libraries hand an empty answer on as it is.
        if ((answer as unknown) === null || typeof answer !== 'object')
          throw new NetworkError(this.network, 'invalid_response', 'it answered no JSON');
        this.failures = 0;
        this.heard(this.network, 'ok');
        return answer;
      } catch (raw) {
        const error = raw instanceof NetworkError ? raw : this.asError(raw);
        this.heard(this.network, error.code);
        const failed = error.code === 'network_down' || error.code === 'invalid_response';
        this.failures = failed ? this.failures + 1 : 0;
        if (this.failures >= FAILURES) this.closedUntil = this.now() + PAUSE_MS;
        if (error.code !== 'network_down' || tries >= 1) throw error;
        await new Promise((resolve) => setTimeout(resolve, backoff(tries)));
      }
    }
  }
}
