import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import {
  BrokenCircuitError,
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  halfJitterGenerator,
  handleAll,
  handleWhen,
  retry,
  wrap,
  type IBackoffFactory,
  type IPolicy,
} from 'cockatiel';
import { NetworkError, type NetworkErrorCode, type NetworkId } from './network.js';

/** How long a request may take, in ms, and how large its answer may be, in bytes. */
const DEADLINE_MS = 5000;
const BODY_LIMIT = 1_048_576;

/**
 * Cuts a socket, which serves one request, after five seconds or a megabyte: no network can hold us
 * up or fill us (RELIABILITY F10).
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

/** The HTTP agent for libraries that speak to this origin: it holds them to the limits above. */
export const agentFor = (origin: string): http.Agent =>
  origin.startsWith('https:')
    ? new LimitedHttps({ keepAlive: false })
    : new LimitedHttp({ keepAlive: false });

/** An HTTP answer whose body was JSON. */
export interface JsonReply {
  status: number;
  headers: Headers;
  json: unknown;
}

/**
 * Sends a request whose answer must be JSON, under the same limits. Throws when the answer does not
 * come, is too large or is no JSON.
 */
export async function requestJson(url: URL, init: RequestInit = {}): Promise<JsonReply> {
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

/** Is told what came of each request to a network; for counting. */
export type OutcomeListener = (network: NetworkId, outcome: NetworkErrorCode | 'ok') => void;

/** Failures in a row after which a network is left alone, and for how long, in ms. */
const FAILURES = 5;
const PAUSE_MS = 10_000;
/** The wait before the second try, in ms: half of it is left to chance. */
const RETRY_MS = 200;

/**
 * How long an open circuit stays open. cockatiel compares `duration` with the machine's clock at
 * each call; here it is answered by the given one, which tests steer, and a clock that was set back
 * behind the opening ends the pause instead of prolonging it by an hour (RELIABILITY F16).
 */
const pauseBy = (now: () => number): IBackoffFactory<unknown> => ({
  next: () => {
    const openedAt = now();
    const isOver = (): boolean => now() < openedAt || now() - openedAt >= PAUSE_MS;
    return {
      ...pauseBy(now),
      get duration() {
        return isOver() ? -Infinity : Infinity;
      },
    };
  },
});

/** What came of a request that the network answered: what was asked for, or why it refuses. */
type Outcome<T> = { answer: T } | { refusal: NetworkError };

/**
 * Guards the requests to one network: a failure is tried once more, and after five failures in a
 * row nothing is sent for ten seconds; then a single request finds out whether the network is back
 * (RELIABILITY F10). A refusal (a limit, a dead token) is an answer, not a failure.
 */
export class CircuitBreaker {
  private readonly policy: IPolicy;

  /**
   * @param now the time in ms @param toNetworkError what an error of the network, or of its
   * library, means @param onOutcome is told what came of each request
   */
  constructor(
    private readonly network: NetworkId,
    now: () => number,
    private readonly toNetworkError: (error: unknown) => NetworkError,
    private readonly onOutcome: OutcomeListener,
  ) {
    this.policy = wrap(
      retry(handleWhen(isOutage), {
        maxAttempts: 1,
        backoff: new ExponentialBackoff({
          initialDelay: RETRY_MS,
          generator: halfJitterGenerator,
        }),
      }),
      circuitBreaker(handleAll, {
        halfOpenAfter: pauseBy(now),
        breaker: new ConsecutiveBreaker(FAILURES),
      }),
    );
  }

  /** Sends a request and answers what came back. Throws nothing but NetworkErrors. */
  async execute<T extends object>(request: () => Promise<T>): Promise<T> {
    let outcome: Outcome<T>;
    try {
      outcome = await this.policy.execute(() => this.send(request));
    } catch (error) {
      throw error instanceof BrokenCircuitError
        ? new NetworkError(this.network, 'network_down', 'it has failed several times in a row')
        : error;
    }
    if ('refusal' in outcome) throw outcome.refusal;
    return outcome.answer;
  }

  /** Sends a request once. Throws a NetworkError for a failure, which a refusal is not. */
  private async send<T extends object>(request: () => Promise<T>): Promise<Outcome<T>> {
    try {
      const answer = await request();
      // Libraries hand an empty answer on as it is.
      if ((answer as unknown) === null || typeof answer !== 'object')
        throw new NetworkError(this.network, 'invalid_response', 'it answered no JSON');
      this.onOutcome(this.network, 'ok');
      return { answer };
    } catch (raw) {
      const error = raw instanceof NetworkError ? raw : this.toNetworkError(raw);
      this.onOutcome(this.network, error.code);
      if (isOutage(error) || error.code === 'invalid_response') throw error;
      return { refusal: error };
    }
  }
}

/** Whether an error says that the network was not there: the one kind that another try may mend. */
const isOutage = (error: Error): boolean =>
  error instanceof NetworkError && error.code === 'network_down';
