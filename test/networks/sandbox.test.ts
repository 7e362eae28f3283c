import { expect } from 'chai';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startSandbox, type Sandbox } from '../../scripts/sandbox/start.js';

describe('the sandbox networks', () => {
  let sandbox: Sandbox;
  const clients = {
    x: { id: 'client', secret: 'secret' },
    facebook: { id: '42', secret: 'fbsecret' },
  };
  before(async () => {
    sandbox = await startSandbox({
      port: 0,
      file: null,
      token: 'right',
      clients,
      redirects: { x: ['http://127.0.0.1:1/cb'], facebook: ['http://127.0.0.1:1/cb'] },
    });
  });
  after(() => sandbox.close());
  const act = (path: string, body: object, token = 'right') =>
    fetch(`${sandbox.url}/__sandbox${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-sandbox-token': token },
      body: JSON.stringify(body),
    });
  const app = async (): Promise<string> =>
    (
      (await (
        await fetch(`${sandbox.networks.x}/oauth2/token`, {
          method: 'POST',
          headers: { authorization: `Basic ${Buffer.from('client:secret').toString('base64')}` },
          body: new URLSearchParams({ grant_type: 'client_credentials' }),
        })
      ).json()) as { access_token: string }
    ).access_token;

  it('obey the control plane with its token, and nobody without', async () => {
    expect(
      (await act('/people/fan2/follow', { network: 'x', account: 'athlete1' }, 'wrong')).status,
    ).to.equal(401);
    expect(
      await (await act('/people/fan2/follow', { network: 'x', account: 'athlete1' })).json(),
    ).to.deep.equal({ changed: true });
    expect(
      await (await act('/people/fan2/follow', { network: 'x', account: 'athlete1' })).json(),
    ).to.deep.equal({ changed: false });
    expect(
      (await act('/people/nobody/follow', { network: 'x', account: 'athlete1' })).status,
    ).to.equal(404);
    expect(
      (await act('/people/fan2/like', { network: 'facebook', account: 'fan3' })).status,
    ).to.equal(400);
    expect(
      (await act('/people/fan2/dance', { network: 'x', account: 'athlete1' })).status,
    ).to.equal(400);
  });

  it('show a page with a Follow button for whoever is signed in there, marked SANDBOX', async () => {
    const url = `${sandbox.networks.x}/athlete2`;
    expect(await (await fetch(url)).text())
      .to.contain('SANDBOX')
      .and.contain('Choose who you are first');
    const cookie = { cookie: 'sandbox-x=fan3' };
    expect(await (await fetch(url, { headers: cookie })).text()).to.contain(
      '<button>Follow Serena Oliveri</button>',
    );
    await fetch(`${sandbox.networks.x}/sandbox/act`, {
      method: 'POST',
      redirect: 'manual',
      headers: cookie,
      body: new URLSearchParams({ what: 'follow', value: 'athlete2', back: '/athlete2' }),
    });
    expect(await (await fetch(url, { headers: cookie })).text()).to.contain(
      '<button>Unfollow Serena Oliveri</button>',
    );
    expect((await fetch(`${sandbox.networks.facebook}/nobody`)).status).to.equal(404);
  });

  it(
    'refuse an address to come back to that was not registered, and a client with another ' +
      'secret',
    async () => {
      expect(
        (
          await fetch(
            `${sandbox.networks.x}/i/oauth2/authorize?response_type=code&client_id=client&redirect_uri=http://evil.example&state=s&code_challenge=c&code_challenge_method=S256`,
          )
        ).status,
      ).to.equal(400);
      expect(
        (
          await fetch(
            `${sandbox.networks.facebook}/v24.0/dialog/oauth?client_id=42&redirect_uri=http://evil.example`,
          )
        ).status,
      ).to.equal(400);
      expect(
        (
          await fetch(`${sandbox.networks.x}/2/oauth2/token`, {
            method: 'POST',
            body: new URLSearchParams({
              grant_type: 'authorization_code',
              client_id: 'client',
              client_secret: 'wrong',
            }),
          })
        ).status,
      ).to.equal(401);
    },
  );

  it('answer as X does: absent connection, errors beside data, limit headers, its own 404', async () => {
    const token = await app();
    const get = (path: string) =>
      fetch(`${sandbox.networks.x}${path}`, { headers: { authorization: `Bearer ${token}` } });
    const person = sandbox.world.person('athlete1');
    const reply = await get(
      `/2/users?ids=${person?.ids.x ?? ''},9&user.fields=connection_status,verified_type`,
    );
    const body = (await reply.json()) as { data: object[]; errors: { title: string }[] };
    expect(reply.status).to.equal(200);
    expect(body.data[0]).to.not.have.property('connection_status');
    expect(body.errors[0]?.title).to.equal('Not Found Error');
    expect(reply.headers.get('x-rate-limit-remaining')).to.equal('299');
    expect(await (await get('/2/nothing')).json()).to.include({ title: 'Not Found', status: 404 });
    expect((await get('/2/users/me')).status).to.equal(403);
    expect((await get('/2/users?ids=')).status).to.equal(400);
    const followers = (await (
      await get(`/2/users/${person?.ids.x ?? ''}/followers?max_results=1`)
    ).json()) as { data: { username: string }[] };
    expect(followers.data[0]?.username).to.equal('fan2');
    for (const path of [
      '/2/users/by/username/athlete1',
      `/2/users/${person?.ids.x ?? ''}`,
      `/2/users/${person?.ids.x ?? ''}/tweets?max_results=5`,
      `/2/tweets?ids=${sandbox.world.posts[0]?.id ?? ''}`,
      `/2/tweets/${sandbox.world.posts[0]?.id ?? ''}`,
    ])
      expect(await (await get(path)).json()).to.have.property('data');
  });

  it(
    'push what happens: a stream with rules, subscriptions, and a webhook proved by its ' +
      'challenge',
    async () => {
      const token = await app();
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const post = (path: string, body: object) =>
        fetch(`${sandbox.networks.x}${path}`, {
          method: 'POST',
          headers,
          body: JSON.stringify(body),
        });
      await post('/2/tweets/search/stream/rules', { add: [{ value: 'from:athlete5' }] });
      const controller = new AbortController();
      const stream = await fetch(`${sandbox.networks.x}/2/tweets/search/stream`, {
        headers,
        signal: controller.signal,
      });
      const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
      const heard: { signature: string; body: string }[] = [];
      let tell: () => void = () => undefined;
      const told = new Promise<void>((resolve) => {
        tell = resolve;
      });
      const hook = createServer((req, res) => {
        const url = new URL(req.url ?? '', 'http://hook');
        if (req.method === 'GET') {
          res.end(
            JSON.stringify({
              response_token: `sha256=${createHmac('sha256', 'secret')
                .update(url.searchParams.get('crc_token') ?? '')
                .digest('base64')}`,
            }),
          );
          return;
        }
        let body = '';
        req.on('data', (part: Buffer) => {
          body += part.toString();
        });
        req.on('end', () => {
          heard.push({ signature: String(req.headers['x-twitter-webhooks-signature']), body });
          res.end();
          tell();
        });
      });
      await new Promise<void>((resolve) => {
        hook.listen(0, '127.0.0.1', resolve);
      });
      const made = (await (
        await post('/2/webhooks', {
          url: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook`,
        })
      ).json()) as {
        data: { id: string };
      };
      await post('/2/activity/subscriptions', {
        event_type: 'post.create',
        filter: {},
        webhook_id: made.data.id,
      });
      expect((await post('/2/webhooks', { url: 'http://192.0.2.1/' })).status).to.equal(400);
      await act('/people/athlete5/post', { network: 'x', text: 'On rame.' });
      const chunk = new TextDecoder().decode((await reader.read()).value);
      expect(JSON.parse(chunk)).to.have.nested.property('data.text', 'On rame.');
      await told;
      expect(heard[0]?.signature).to.equal(
        `sha256=${createHmac('sha256', 'secret')
          .update(heard[0]?.body ?? '')
          .digest('base64')}`,
      );
      controller.abort();
      hook.closeAllConnections();
      hook.close();
    },
  );

  it('keep what happened over a restart, and forget it when reset', async () => {
    const { mkdtempSync, rmSync } = await import('node:fs');
    const { join } = await import('node:path');
    const { tmpdir } = await import('node:os');
    const dir = mkdtempSync(join(tmpdir(), 'sandbox-'));
    const options = {
      port: 0,
      file: join(dir, 'world.json'),
      token: 't',
      clients,
      redirects: { x: [], facebook: [] },
    };
    const first = await startSandbox(options);
    first.world.relate(
      'x',
      first.world.person('fan4') as never,
      first.world.person('athlete1') as never,
      true,
    );
    await first.close();
    const second = await startSandbox(options);
    const ids = [
      second.world.person('fan4')?.ids.x ?? '',
      second.world.person('athlete1')?.ids.x ?? '',
    ] as const;
    expect(second.world.related('x', ...ids)).to.equal(true);
    second.world.reset();
    expect(second.world.related('x', ...ids)).to.equal(false);
    await second.close();
    rmSync(dir, { recursive: true });
  });
});
