import { expect } from 'chai';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import mongoose from 'mongoose';
import { connectMongo, isStoreAway } from '../../server/platform/mongo.js';

describe('the connection to the store', () => {
  it('answers a command that meets a socket closed a moment before', async () => {
    const sockets: Socket[] = [];
    const seen = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket);
    subscribe('net.client.socket', seen);
    const connection = await connectMongo(process.env['MONGODB_URI'] ?? '', 'closed-sockets');
    const ping = (): Promise<unknown> => connection.getClient().db().command({ ping: 1 });
    try {
      // As many connections as there are commands at once.
      await Promise.all(Array.from({ length: 8 }, ping));
      for (const socket of sockets) socket.destroy();
      // Each is given one of those: their `close` has not been told yet.
      const told = await Promise.allSettled(Array.from({ length: 8 }, ping));
      const failures = told.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
      expect(failures).to.not.have.length(0);
      for (const failure of failures) expect(isStoreAway(failure), String(failure)).to.equal(true);
      expect(await ping()).to.include({ ok: 1 });
    } finally {
      unsubscribe('net.client.socket', seen);
      await connection.close();
    }
  });

  it('is told from a refusal of the store by name and code', () => {
    const { MongoServerError, MongoWriteConcernError } = mongoose.mongo;
    const said = (code: number): boolean => isStoreAway(new MongoServerError({ message: 'x', code }));
    for (const code of [10107, 11600, 14031]) expect(said(code), String(code)).to.equal(true);
    for (const code of [11000, 121, 2]) expect(said(code), String(code)).to.equal(false);
    // Errors of a kind of their own are a server's all the same.
    expect(isStoreAway(new MongoWriteConcernError({ writeConcernError: { code: 91, errmsg: 'x' }, ok: 1 }))).to.equal(true);
    const other = (name: string): boolean => isStoreAway(Object.assign(new Error('x'), { name, code: 10107 }));
    expect([other('MongoNetworkError'), other('TypeError'), isStoreAway(null), isStoreAway('away')]).to.deep.equal([true, false, false, false]);
  });
});
