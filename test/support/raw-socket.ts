import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { until } from './until.js';

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;

/**
 * A websocket that sends what it is told, right or wrong: frames as RFC 6455 has them, packets as
 * the test likes them.
 */
export class RawSocket {
  /** Texts that were heard, the first ones first. */
  readonly heard: string[] = [];
  /** The connection is gone. */
  closed = false;
  private goodbye = false;
  private rest = Buffer.alloc(0);
  private upgraded = false;
  /** What the server answered to the handshake. */
  answer = '';

  private constructor(readonly socket: Socket) {
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.closed = true;
    });
    socket.on('data', (part: Buffer) => {
      this.rest = Buffer.concat([this.rest, part]);
      if (!this.upgraded) {
        const end = this.rest.indexOf('\r\n\r\n');
        if (end < 0) return;
        this.answer = this.rest.subarray(0, end).toString('latin1');
        this.upgraded = true;
        this.rest = this.rest.subarray(end + 4);
      }
      this.read();
    });
  }

  /** Connects and asks for an upgrade; resolves once the server has answered or closed. */
  static async open(
    url: string,
    {
      path = '/socket.io/?EIO=4&transport=websocket',
      headers = {},
    }: { path?: string; headers?: Record<string, string> } = {},
  ) {
    const { hostname, port, host } = new URL(url);
    const raw = new RawSocket(connect(Number(port), hostname));
    raw.socket.write(
      [
        `GET ${path} HTTP/1.1`,
        `Host: ${host}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
        '\r\n',
      ].join('\r\n'),
    );
    await until(() => raw.upgraded || raw.closed);
    return raw;
  }

  /** Connects and is let into the village with this token. */
  static async enter(url: string, token: string): Promise<RawSocket> {
    const raw = await RawSocket.open(url);
    raw.send(`40/village,${JSON.stringify({ token })}`);
    await until(() => raw.inside || raw.ended);
    return raw;
  }

  /**
   * Whether the server has said goodbye: it reads nothing more, and waits for the other side to
   * hang up.
   */
  get ended(): boolean {
    return this.goodbye || this.closed;
  }

  /** Whether the server has let it into the village. */
  get inside(): boolean {
    return this.heard.some((text) => text.startsWith('40/village,'));
  }

  /** Sends one frame: text, or bytes as a binary one. */
  send(data: string | Buffer): void {
    this.frame(typeof data === 'string' ? TEXT : BINARY, Buffer.from(data));
  }

  /** Sends a frame of any opcode. */
  frame(opcode: number, payload: Buffer): void {
    if (this.closed || this.socket.destroyed) return;
    const mask = randomBytes(4);
    const head =
      payload.length < 126
        ? Buffer.from([0x80 | opcode, 0x80 | payload.length])
        : Buffer.from([0x80 | opcode, 0xfe, payload.length >> 8, payload.length & 0xff]);
    this.socket.write(
      Buffer.concat([head, mask, payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0))]),
    );
  }

  private read(): void {
    while (this.rest.length >= 2) {
      const [first = 0, second = 0] = this.rest;
      const short = second & 0x7f;
      const from = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (this.rest.length < from) return;
      const length =
        short === 126
          ? this.rest.readUInt16BE(2)
          : short === 127
            ? Number(this.rest.readBigUInt64BE(2))
            : short;
      if (this.rest.length < from + length) return;
      if ((first & 0x0f) === CLOSE) this.goodbye = true;
      if ((first & 0x0f) === TEXT)
        this.heard.push(this.rest.subarray(from, from + length).toString());
      this.rest = this.rest.subarray(from + length);
    }
  }

  /** Hangs up. */
  close(): void {
    this.socket.destroy();
  }
}
