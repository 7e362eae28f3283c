import { expect } from 'chai';
import express from 'express';
import type { AddressInfo } from 'node:net';
import { createAppServer } from '../../server/platform/server.js';

describe('the server of an express app', () => {
  it(
    'makes requests and answers that are express’s own from birth, so that none is changed on ' +
      'its way',
    async () => {
      const app = express();
      app.get('/', (req, res) => {
        res.json({
          app: req.app === app && res.app === app,
          query: req.query,
          ip: req.ip,
          type: req.get('accept'),
        });
      });
      const { server, serve } = createAppServer();
      const born: [boolean, boolean][] = [];
      server.on('request', (req, res) => {
        born.push([
          Object.getPrototypeOf(req) === app.request,
          Object.getPrototypeOf(res) === app.response,
        ]);
      });
      serve(app);
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve);
      });
      try {
        const answer = await fetch(
          `http://127.0.0.1:${(server.address() as AddressInfo).port}/?a=1`,
          { headers: { accept: 'text/x' } },
        );
        expect(await answer.json()).to.deep.equal({
          app: true,
          query: { a: '1' },
          ip: '127.0.0.1',
          type: 'text/x',
        });
        expect(born).to.deep.equal([[true, true]]);
      } finally {
        server.close();
      }
    },
  );
});
