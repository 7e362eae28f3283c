import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** How long a connection may exist without being let in, or after it left, in ms. */
export const ENTRY_MS = 10_000;
/** Bytes that a client may leave unread before it is cut (RELIABILITY F14). */
const UNSENT_LIMIT = 1_048_576;
/** How often all connections are checked, in ms. */
const CHECK_MS = 1000;
/** How long a connection that we closed may take to end, in ms. */
const CLOSING_MS = 5000;
/** Packets of a connection that is not in yet: its handshake, and what a clumsy library adds. */
const FIRST_PACKETS = 10;
/**
 * Packets that a connection may send at once when it is in, and in a second in the long run. A page
 * sends one join for each room, at most five messages in five seconds, and answers to pings; a
 * program that sends ten packets a second still passes.
 */
const BURST = 100;
const PER_SECOND = 20;

/**
 * The part of engine.io's connection that is used here. Packets wait in its `writeBuffer` while the
 * websocket is still sending earlier ones.
 */
export interface Connection {
  request: IncomingMessage | null;
  transport: { socket: { bufferedAmount: number; terminate(): void } };
  writeBuffer: { data?: string | Buffer }[];
  on(event: 'packet' | 'close', listener: () => void): void;
  close(discard?: boolean): void;
}
/** The part of engine.io's server that is used here. */
interface Engine {
  use(
    middleware: (
      req: IncomingMessage & { _query: Record<string, unknown> },
      res: unknown,
      next: (error?: Error) => void,
    ) => void,
  ): void;
  on(event: 'connection', listener: (connection: Connection) => void): void;
}
/** Why a connection was cut: it sent or left unread too much, never came in, or asked twice. */
export type CutReason = 'flood' | 'unread' | 'never_in' | 'twice';

interface State {
  cookie: string | undefined;
  packets: number;
  hasAsked: boolean;
  isInside: boolean;
  /** When it began, or left, in ms of the process's own clock. */
  outsideSince: number;
}

const sizeOf = (packets: Connection['writeBuffer']): number =>
  packets.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);

/** Ends a connection that breaks before anybody listens: else its error would be uncaught. */
function destroyBroken(this: Duplex): void {
  this.destroy();
}

/**
 * Guards websocket connections below socket.io. Every packet counts before it is read; a connection
 * that floods, leaves too much unread or never comes in is cut, alone; and each is let in once.
 */
export class Connections {
  private readonly open = new Map<Connection, State>();
  private readonly timer: NodeJS.Timeout;

  /**
   * @param path where sockets are opened, with a slash at its end @param onCut is told why a
   * connection was cut
   */
  constructor(
    http: HttpServer,
    engine: Engine,
    path: string,
    private readonly onCut: (why: CutReason) => void,
  ) {
    http.on('upgrade', (req, socket) => {
      socket.on('error', destroyBroken);
      if (!req.url?.startsWith(path)) socket.destroy();
    });
    // Websocket is the only transport, so nobody has a reason to continue a first connection with
    // a second.
    engine.use((req, _res, next) => {
      next(req._query['sid'] === undefined ? undefined : new Error('no connection is taken over'));
    });
    engine.on('connection', (connection) => {
      this.add(connection);
    });
    this.timer = setInterval(() => {
      this.checkAll();
    }, CHECK_MS);
  }

  private add(connection: Connection): void {
    const state: State = {
      cookie: connection.request?.headers.cookie,
      packets: 0,
      hasAsked: false,
      isInside: false,
      outsideSince: performance.now(),
    };
    // Else the first request with all its headers would be kept for a socket's whole life; setting
    // it to null is what socket.io's own guide does.
    connection.request = null;
    this.open.set(connection, state);
    connection.on('packet', () => {
      state.packets += 1;
      if (state.packets > (state.isInside ? BURST : FIRST_PACKETS)) this.cut(connection, 'flood');
    });
    connection.on('close', () => {
      this.open.delete(connection);
      const { socket } = connection.transport;
      setTimeout(() => {
        socket.terminate();
      }, CLOSING_MS).unref();
    });
  }

  /**
   * Asks to be let in: answers the cookies of the handshake, or null for a connection that has
   * asked before, which is cut.
   */
  ask(connection: Connection): { cookie: string | undefined } | null {
    const state = this.open.get(connection);
    if (!state || state.hasAsked) {
      this.cut(connection, 'twice');
      return null;
    }
    state.hasAsked = true;
    const { cookie } = state;
    state.cookie = undefined;
    return { cookie };
  }

  /** Notes that a connection was let in: it may stay, and send more. */
  entered(connection: Connection): void {
    const state = this.open.get(connection);
    if (!state) return;
    state.isInside = true;
    state.packets = 0;
  }

  /** Notes that a connection has left, and closes it. */
  left(connection: Connection): void {
    const state = this.open.get(connection);
    if (state) Object.assign(state, { isInside: false, outsideSince: performance.now() });
    connection.close();
  }

  /** Ends a connection at once: nothing more of it is read, even if it has already arrived. */
  cut(connection: Connection, why: CutReason): void {
    if (!this.open.has(connection)) return;
    this.onCut(why);
    const { socket } = connection.transport;
    connection.close(true);
    socket.terminate();
  }

  private checkAll(): void {
    const latest = performance.now() - ENTRY_MS;
    for (const [connection, state] of this.open) {
      state.packets = Math.max(0, state.packets - (state.isInside ? PER_SECOND : 0));
      if (!state.isInside && state.outsideSince < latest) this.cut(connection, 'never_in');
      else if (
        connection.transport.socket.bufferedAmount + sizeOf(connection.writeBuffer) >
        UNSENT_LIMIT
      )
        this.cut(connection, 'unread');
    }
  }

  /** Stops the checks. */
  stop(): void {
    clearInterval(this.timer);
  }
}
