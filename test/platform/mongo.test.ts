import { expect } from 'chai';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import mongoose from 'mongoose';
import { connectMongo, isStoreAway } from '../../server/platform/mongo.js';
import { until } from '../support/until.js';

describe('the connection to the store', () => {
  const SOCKETS = 8;
  /**
   * Opens connections, lets `work` spoil their sockets and ping: what fails must count as a store
   * that is away, and the next ping is answered.
   */
  async function spoil(
    work: (
      sockets: Socket[],
      ping: () => Promise<unknown>,
    ) => Promise<PromiseSettledResult<unknown>[]>,
  ): Promise<void> {
    const sockets: Socket[] = [];
    const seen = (message: unknown): void =>
      void sockets.push((message as { socket: Socket }).socket);
    subscribe('net.client.socket', seen);
    const connection = await connectMongo(process.env['MONGODB_URI'] ?? '', 'spoilt-sockets');
    const ping = (): Promise<unknown> => connection.getClient().db().command({ ping: 1 });
    try {
      // As many connections as there are commands at once.
      await Promise.all(Array.from({ length: SOCKETS }, ping));
      const failures = (await work(sockets, ping)).flatMap((result) =>
        result.status === 'rejected' ? [result.reason as Error] : [],
      );
      expect(failures).to.not.have.length(0);
      for (const failure of failures) expect(isStoreAway(failure), String(failure)).to.equal(true);
      expect(await ping()).to.include({ ok: 1 });
    } finally {
      unsubscribe('net.client.socket', seen);
      await connection.close();
    }
  }

  it('answers a command that meets a socket closed a moment before', () =>
    spoil((sockets, ping) => {
      for (const socket of sockets) socket.destroy();
      // Each is given one of those: their `close` has not been told yet.
      return Promise.allSettled(Array.from({ length: SOCKETS }, ping));
    }));

  it('answers a command that is written behind the end that the store has sent', () =>
    spoil(async (sockets, ping) => {
      const told: Promise<PromiseSettledResult<unknown>[]>[] = [];
      for (const socket of sockets)
        socket.prependOnceListener('end', () => told.push(Promise.allSettled([ping(), ping()])));
      for (const socket of sockets) socket.push(null);
      await new Promise((resolve) => setImmediate(resolve));
      return (await Promise.all(told)).flat();
    }));

  it('is not blamed for a command that cannot be written down', async () => {
    const connection = await connectMongo(process.env['MONGODB_URI'] ?? '', 'faulty-commands');
    const client = connection.getClient();
    let cleared = 0;
    client.on('connectionPoolCleared', () => (cleared += 1));
    try {
      const circle: Record<string, unknown> = {};
      circle['circle'] = circle;
      const fault: unknown = await client
        .db()
        .collection('any')
        .insertOne(circle)
        .catch((error: unknown) => error);
      expect([fault instanceof Error, isStoreAway(fault), cleared]).to.deep.equal([true, false, 0]);
    } finally {
      await connection.close();
    }
  });

  it('is told from a refusal of the store by name and code', () => {
    const { MongoServerError, MongoWriteConcernError } = mongoose.mongo;
    const said = (code: number): boolean =>
      isStoreAway(new MongoServerError({ message: 'x', code }));
    for (const code of [43, 10107, 11600, 14031]) expect(said(code), String(code)).to.equal(true);
    for (const code of [11000, 121, 2]) expect(said(code), String(code)).to.equal(false);
    // Errors of a kind of their own are a server's all the same.
    expect(
      isStoreAway(
        new MongoWriteConcernError({ writeConcernError: { code: 91, errmsg: 'x' }, ok: 1 }),
      ),
    ).to.equal(true);
    expect(
      [new TypeError('x'), null, 'away', Object.assign(new Error('x'), { code: 10107 })].map(
        isStoreAway,
      ),
    ).to.deep.equal([false, false, false, false]);
  });

  it('is told by every error of the driver that speaks of no answer, whatever it is wrapped in', () => {
    const made = Object.entries(mongoose.mongo).flatMap(([name, exported]) => {
      // Client-side encryption speaks with others than the store.
      if (
        typeof exported !== 'function' ||
        !(exported.prototype instanceof mongoose.mongo.MongoError) ||
        name.includes('Crypt')
      )
        return [];
      const error = Object.create(exported.prototype) as Error;
      // Some classes want arguments of their own: what is told is told by class and name.
      return [{ name, error: Object.assign(error, { message: 'x' }) }];
    });
    const away = made.filter(({ error }) => isStoreAway(error)).map(({ name }) => name);
    expect(
      made
        .map(({ name }) => name)
        .filter((name) =>
          /Network|Selection|Closed|NotConnected|Timeout|Stale|Unexpected/.test(name),
        ),
    ).to.have.length.greaterThan(8);
    expect(
      made
        .map(({ name }) => name)
        .filter(
          (name) =>
            /Network|Selection|Closed|NotConnected|Timeout|Stale|Unexpected/.test(name) &&
            !away.includes(name),
        ),
    ).to.deep.equal([]);
    expect(
      away.filter((name) => /InvalidArgument|Parse|Cursor|Missing|Compatibility|GridFS/.test(name)),
    ).to.deep.equal([]);
  });

  it('is told by a bulk write that it ended, in the midst of one', async () => {
    const connection = await connectMongo(process.env['MONGODB_URI'] ?? '', 'bulk-ended');
    const sockets: Socket[] = [];
    const seen = (message: unknown): void =>
      void sockets.push((message as { socket: Socket }).socket);
    subscribe('net.client.socket', seen);
    try {
      const things = connection.collection('things');
      const write = (): Promise<unknown> =>
        things.bulkWrite(
          Array.from({ length: 500 }, (_x, at) => ({
            updateOne: { filter: { _id: at as never }, update: { $set: { at } }, upsert: true },
          })),
          { ordered: false },
        );
      const writing = Promise.allSettled(Array.from({ length: 8 }, write));
      await until(() => sockets.length > 0);
      for (const socket of sockets) socket.destroy();
      const failures = (await writing).flatMap((result) =>
        result.status === 'rejected' ? [result.reason as Error] : [],
      );
      expect(failures).to.not.have.length(0);
      for (const failure of failures)
        expect(isStoreAway(failure), `${failure.name}: ${failure.message}`).to.equal(true);
    } finally {
      unsubscribe('net.client.socket', seen);
      await connection.dropDatabase();
      await connection.close();
    }
  });
});
