import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * How long a connection may be without being let in, in ms: from its beginning, or from when it
 * left.
 */
export const ENTRY_MS = 10_000;
/**
 * Bytes that a client may leave unread before it is cut (RELIABILITY F14), and how often that is
 * looked at, in ms.
 */
const UNSENT_LIMIT = 1_048_576;
const LOOK_MS = 1000;
/** How long a connection that we have closed may take to say goodbye, in ms. */
const GOODBYE_MS = 5000;
/** Packets of a connection that is not let in yet: its hello, and what a clumsy library adds. */
const FIRST_PACKETS = 10;
/**
 * Packets at once and a second of one that is in. A page sends a join a room, five messages in five
 * seconds at most and an answer to a ping; a program that sends ten a second still passes.
 */
const BURST = 100;
const A_SECOND = 20;

/**
 * What engine.io keeps a connection: packets wait here while the websocket is still sending earlier
 * ones.
 */
export interface Connection {
  request: IncomingMessage | null;
  transport: { socket: { bufferedAmount: number; terminate(): void } };
  writeBuffer: { data?: string | Buffer }[];
  on(event: 'packet' | 'close', hear: () => void): void;
  close(discard?: boolean): void;
}
/** The part of engine.io's server that is spoken to. */
interface Engine {
  use(
    middleware: (
      req: IncomingMessage & { _query: Record<string, unknown> },
      res: unknown,
      next: (error?: Error) => void,
    ) => void,
  ): void;
  on(event: 'connection', hear: (connection: Connection) => void): void;
}
export type CutReason = 'flood' | 'unread' | 'never_in' | 'twice';

interface State {
  cookie: string | undefined;
  packets: number;
  asked: boolean;
  inside: boolean;
  /** When it began, or left, on the process's own clock. */
  since: number;
}

const sizeOf = (packets: Connection['writeBuffer']): number =>
  packets.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);

/**
 * A connection that breaks before anybody listens to it would else throw in the middle of nowhere.
 */
function broken(this: Duplex): void {
  this.destroy();
}

/**
 * Keeps the rules of a conversation for websocket connections, below socket.io: every packet counts
 * before it is looked at, whoever floods, does not read, or never comes in is cut, and a connection
 * is let in once. A cut ends that connection alone.
 */
export class Connections {
  private readonly open = new Map<Connection, State>();
  private readonly look: NodeJS.Timeout;

  /**
   * @param path where sockets are opened, with a slash at its end @param onCut hears why one was
   * cut
   */
  constructor(
    http: HttpServer,
    engine: Engine,
    path: string,
    private readonly onCut: (why: CutReason) => void,
  ) {
    http.on('upgrade', (req, socket) => {
      socket.on('error', broken);
      if (!req.url?.startsWith(path)) socket.destroy();
    });
    // Websocket is the only transport: nobody changes over to it from another, and a second
    // connection has no business with a first.
    engine.use((req, _res, next) => {
      next(req._query['sid'] === undefined ? undefined : new Error('no connection is taken over'));
    });
    engine.on('connection', (connection) => {
      this.add(connection);
    });
    this.look = setInterval(() => {
      this.lookAround();
    }, LOOK_MS);
  }

  private add(connection: Connection): void {
    const state: State = {
      cookie: connection.request?.headers.cookie,
      packets: 0,
      asked: false,
      inside: false,
      since: performance.now(),
    };
    // The first request with all its headers would be kept a socket's whole life. Null is what
    // socket.io's own guide sets, and what it bears.
    connection.request = null;
    this.open.set(connection, state);
    connection.on('packet', () => {
      state.packets += 1;
      if (state.packets > (state.inside ? BURST : FIRST_PACKETS)) this.cut(connection, 'flood');
    });
    connection.on('close', () => {
      this.open.delete(connection);
      const { socket } = connection.transport;
      setTimeout(() => {
        socket.terminate();
      }, GOODBYE_MS).unref();
    });
  }

  /**
   * Asks for entry, with what the handshake carried as cookies; null for one who has asked before,
   * and is cut.
   */
  ask(connection: Connection): { cookie: string | undefined } | null {
    const state = this.open.get(connection);
    if (!state || state.asked) {
      this.cut(connection, 'twice');
      return null;
    }
    state.asked = true;
    const { cookie } = state;
    state.cookie = undefined;
    return { cookie };
  }

  /** It is in: it may stay, and say more. */
  entered(connection: Connection): void {
    const state = this.open.get(connection);
    if (!state) return;
    state.inside = true;
    state.packets = 0;
  }

  /** It has left: nothing is left for it here. */
  left(connection: Connection): void {
    const state = this.open.get(connection);
    if (state) Object.assign(state, { inside: false, since: performance.now() });
    connection.close();
  }

  /** Ends a connection at once: nothing more of it is read, not even what has already arrived. */
  cut(connection: Connection, why: CutReason): void {
    if (!this.open.has(connection)) return;
    this.onCut(why);
    const { socket } = connection.transport;
    connection.close(true);
    socket.terminate();
  }

  private lookAround(): void {
    const late = performance.now() - ENTRY_MS;
    for (const [connection, state] of this.open) {
      state.packets = Math.max(0, state.packets - (state.inside ? A_SECOND : 0));
      if (!state.inside && state.since < late) this.cut(connection, 'never_in');
      else if (
        connection.transport.socket.bufferedAmount + sizeOf(connection.writeBuffer) >
        UNSENT_LIMIT
      )
        this.cut(connection, 'unread');
    }
  }

  stop(): void {
    clearInterval(this.look);
  }
}
