import { expect } from 'chai';
import express, { type ErrorRequestHandler } from 'express';
import { Agent, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerInTime, StoreHealth } from '../../server/platform/store-health.js';

describe('the health check of a store', () => {
  it(
    'is silent when nothing was answered for a while, also when that was said, and not while ' +
      'it answers',
    async () => {
      let now = 0;
      let answer: (() => void) | null = null;
      let away = false;
      const storeHealth = new StoreHealth(
        () =>
          away
            ? Promise.reject(new Error('away'))
            : new Promise<void>((resolve) => {
                answer = resolve;
              }),
        () => now,
      );
      const first = storeHealth.check();
      const answerFirst = answer as unknown as () => void;
      now += 600;
      expect(storeHealth.isSilent).to.equal(false);
      const second = storeHealth.check();
      now += 200;
      expect(storeHealth.isSilent, 'asked 800 ms ago').to.equal(true);
      (answer as unknown as () => void)();
      await second;
      expect(storeHealth.isSilent, 'one connection is dead, another has answered').to.equal(false);
      answerFirst();
      await first;
      expect(storeHealth.isSilent).to.equal(false);
      now += 60_000;
      expect(storeHealth.isSilent, 'a process that stood still accuses nobody').to.equal(false);
      away = true;
      await storeHealth.check();
      now += 500;
      await storeHealth.check();
      now += 500;
      expect(storeHealth.isSilent, 'refused for a second').to.equal(true);
    },
  );

  it('has three askings under way at most', () => {
    let asked = 0;
    const storeHealth = new StoreHealth(() => {
      asked += 1;
      return new Promise(() => undefined);
    });
    for (let check = 0; check < 10; check += 1) void storeHealth.check();
    expect(asked).to.equal(3);
  });
});

describe('a request while the store is silent', () => {
  const problem: ErrorRequestHandler = (error, _req, res, _next) => {
    if (!res.headersSent)
      res
        .status((error as { status?: number }).status ?? 500)
        .json({ id: (error as { id?: string }).id });
  };

  /** Asks an app whose handlers wait for nothing that ever comes, over one kept connection. */
  async function asked(
    storeHealth: { isSilent: boolean },
    during: (ask: (path: string) => Promise<string>, finish: () => void) => Promise<void>,
  ): Promise<void> {
    const app = express();
    const waiting: (() => void)[] = [];
    app.use(
      answerInTime(
        storeHealth,
        (error, req, res) => {
          problem(error, req, res, () => undefined);
        },
        20,
        5,
      ),
    );
    app.get('/waits', async (_req, res) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      res.json({ id: 'answered' });
    });
    app.get('/begun', async (_req, res) => {
      res.write('{"id":');
      await new Promise<void>((resolve) => waiting.push(resolve));
      res.end('"whole"}');
    });
    app.use(problem);
    const server = app.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (path: string): Promise<string> =>
      new Promise((resolve, reject) => {
        get(
          { agent, host: '127.0.0.1', port: (server.address() as AddressInfo).port, path },
          (answer) => {
            let text = '';
            answer.on('data', (part: Buffer) => (text += part.toString()));
            answer.on('end', () => {
              resolve(`${answer.statusCode ?? 0} ${(JSON.parse(text) as { id: string }).id}`);
            });
          },
        ).on('error', reject);
      });
    try {
      await during(ask, () => {
        for (const one of waiting.splice(0)) one();
      });
    } finally {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  it(
    'is answered 503, and what its handler answers later spoils no other answer of the ' +
      'connection',
    () =>
      asked({ isSilent: true }, async (ask, finish) => {
        expect(await ask('/waits')).to.equal('503 unavailable');
        finish();
        expect(await ask('/waits')).to.equal('503 unavailable');
      }),
  );

  it('is waited for while the store answers, and no longer from when it falls silent', () => {
    const storeHealth = { isSilent: false };
    return asked(storeHealth, async (ask, finish) => {
      const slow = ask('/waits');
      const first = await Promise.race([
        slow,
        new Promise((resolve) => setTimeout(resolve, 80, 'waits')),
      ]);
      expect(first).to.equal('waits');
      finish();
      expect(await slow).to.equal('200 answered');
      const next = ask('/waits');
      setTimeout(() => {
        storeHealth.isSilent = true;
      }, 40);
      expect(await next).to.equal('503 unavailable');
      finish();
    });
  });

  it('is left alone when its answer has begun', () =>
    asked({ isSilent: true }, async (ask, finish) => {
      const begun = ask('/begun');
      setTimeout(finish, 80);
      expect(await begun).to.equal('200 whole');
    }));
});
