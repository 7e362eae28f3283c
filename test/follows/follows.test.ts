import { expect } from 'chai';
import { until } from '../support/until.js';
import { HOUR, startWorld, type World } from '../support/world.js';

describe('following under a confirmed card', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.athletes();
    for (const athlete of ['athlete1', 'athlete2', 'athlete3']) await world.verify(athlete, 'x');
    await world.verify('athlete1', 'facebook');
  });
  after(() => world.close());
  const person = (handle: string) => {
    const found = world.sandbox.world.person(handle);
    if (!found) throw new Error(handle);
    return found;
  };
  const does = (network: 'x' | 'facebook', handle: string, athlete: string, on = true) =>
    world.sandbox.world.relate(network, person(handle), person(athlete), on);
  const follow = (token: string, athlete: string, network = 'x', turn?: number) =>
    world.api(`/athletes/${athlete}/follow`, {
      method: 'POST',
      token,
      body: { network, ...(turn === undefined ? {} : { turn }) },
    });
  const unfollow = (token: string, athlete: string, network = 'x') =>
    world.api(`/athletes/${athlete}/follow`, { method: 'DELETE', token, body: { network } });

  it('earns nothing before the network says yes, and says where to follow', async () => {
    const { token } = await world.fan('f1');
    const { status, body } = await follow(token, 'athlete1');
    expect(status).to.equal(200);
    expect(body).to.include({ verdict: 'no', awarded: 0, points: 0 });
    expect((body as { open?: string }).open).to.equal(
      `${world.sandbox.networks.x}/i/user/${person('athlete1').ids.x}`,
    );
  });

  it('earns one point and a medal when it does, and nothing the second time', async () => {
    const { token } = await world.fan('f2');
    does('x', 'f2', 'athlete1');
    expect((await follow(token, 'athlete1')).body).to.include({
      verdict: 'yes',
      awarded: 1,
      turn: 1,
      points: 1,
      medal: 'bronze',
    });
    expect((await follow(token, 'athlete1')).body).to.include({
      verdict: 'yes',
      awarded: 0,
      turn: 1,
      points: 1,
    });
    const ledger = (await world.api('/me/ledger', { token })).body as unknown as {
      items: { cause: string; card: string; delta: number }[];
    };
    expect(ledger.items).to.have.length(1);
    expect(ledger.items[0]).to.include({ cause: 'network_yes', delta: 1 });
    expect(ledger.items[0]?.card).to.match(/^x@\d+:confirmed$/);
  });

  it('earns one point for twenty askings at once', async () => {
    const { token } = await world.fan('f3');
    does('x', 'f3', 'athlete2');
    const answers = await Promise.all(Array.from({ length: 20 }, () => follow(token, 'athlete2')));
    expect(answers.map((one) => one.status)).to.deep.equal(Array(20).fill(200));
    expect(
      answers.filter((one) => (one.body as { awarded?: number }).awarded === 1),
    ).to.have.length(1);
    expect((await world.api('/me', { token })).body).to.include({ points: 1 });
  });

  it('earns for a Page like on Facebook beside a follow on X, a point each', async () => {
    const { token } = await world.fan('f4', { networks: ['x', 'facebook'] });
    does('x', 'f4', 'athlete1');
    does('facebook', 'f4', 'athlete1');
    await follow(token, 'athlete1', 'x');
    expect((await follow(token, 'athlete1', 'facebook')).body).to.include({
      verdict: 'yes',
      awarded: 1,
      points: 2,
    });
  });

  it(
    'earns nothing on a network that is not linked, for an account that is not verified or ' +
      'not there',
    async () => {
      const { token } = await world.fan('f5');
      expect((await follow(token, 'athlete1', 'facebook')).body).to.include({
        id: 'not_linked',
        status: 409,
      });
      const by = await world.moderator();
      await world.context.registry.submit(by, 'x:athlete10', 'athlete10');
      expect((await follow(token, 'athlete10')).body).to.include({
        id: 'not_verified',
        status: 409,
      });
      expect((await follow(token, 'athlete11')).body).to.include({
        id: 'account_not_found',
        status: 404,
      });
      expect((await follow(token, 'nobody')).body).to.include({
        id: 'athlete_not_found',
        status: 404,
      });
      expect((await follow(token, 'athlete1', 'myspace')).status).to.equal(400);
      expect((await follow('vlg_nonsense', 'athlete1')).body).to.include({
        id: 'bad_token',
        status: 401,
      });
    },
  );

  it('earns nothing for one\u2019s own account', async () => {
    const { token } = await world.fan('athlete3', { role: 'athlete' });
    expect((await follow(token, 'athlete3')).body).to.include({ id: 'own_account', status: 409 });
  });

  it(
    'keeps a deed while the network says yes, and takes it back at the fan\u2019s undo after ' +
      'a no',
    async () => {
      const { token } = await world.fan('f6');
      does('x', 'f6', 'athlete1');
      await follow(token, 'athlete1');
      expect((await unfollow(token, 'athlete1')).body).to.include({
        id: 'still_following',
        status: 409,
      });
      does('x', 'f6', 'athlete1', false);
      expect((await unfollow(token, 'athlete1')).body).to.include({
        verdict: 'no',
        awarded: 0,
        turn: 2,
        points: 0,
      });
      expect((await unfollow(token, 'athlete1')).body).to.include({
        verdict: 'no',
        turn: 2,
        points: 0,
      });
      does('x', 'f6', 'athlete1');
      expect((await follow(token, 'athlete1', 'x', 0)).body).to.include({ awarded: 0, turn: 2 });
      expect((await follow(token, 'athlete1', 'x', 2)).body).to.include({
        awarded: 1,
        turn: 3,
        points: 1,
      });
    },
  );

  it('takes nothing at a first no, and takes it at a second twelve hours later', async () => {
    const { token, fan } = await world.fan('f7');
    does('x', 'f7', 'athlete1');
    await follow(token, 'athlete1');
    does('x', 'f7', 'athlete1', false);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    world.clock.advance(HOUR);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    expect((await world.api('/me', { token })).body).to.include({ points: 1 });
    world.clock.advance(12 * HOUR);
    await world.sweep();
    expect((await world.api('/me', { token })).body).to.include({ points: 0 });
    expect(
      ((await world.api('/me/ledger', { token })).body as unknown as { items: { cause: string }[] })
        .items[0]?.cause,
    ).to.equal('network_no');
    await world.sweep();
    expect(
      ((await world.api('/me/ledger', { token })).body as unknown as { items: unknown[] }).items,
    ).to.have.length(2);
  });

  it('weighs the no’s of one asking each by itself', async () => {
    const { token, fan } = await world.fan('f7b');
    for (const athlete of ['athlete1', 'athlete2', 'athlete3']) {
      does('x', 'f7b', athlete);
      await follow(token, athlete);
    }
    does('x', 'f7b', 'athlete1', false);
    does('x', 'f7b', 'athlete2', false);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    does('x', 'f7b', 'athlete2');
    does('x', 'f7b', 'athlete3', false);
    world.clock.advance(HOUR);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    does('x', 'f7b', 'athlete2', false);
    world.clock.advance(11 * HOUR);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    // Only athlete1 was denied twice, twelve hours apart and with no yes between.
    const { items } = (await world.api('/me/ledger', { token })).body as unknown as {
      items: { delta: number; athlete: string }[];
    };
    expect(items.filter((one) => one.delta < 0).map((one) => one.athlete)).to.deep.equal([
      'athlete1',
    ]);
    expect((await world.api('/me', { token })).body).to.include({ points: 2 });
  });

  it('forgets a no when a yes came between', async () => {
    const { token, fan } = await world.fan('f8');
    does('x', 'f8', 'athlete1');
    await follow(token, 'athlete1');
    does('x', 'f8', 'athlete1', false);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    does('x', 'f8', 'athlete1');
    world.clock.advance(HOUR);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    does('x', 'f8', 'athlete1', false);
    world.clock.advance(12 * HOUR);
    await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
    expect((await world.api('/me', { token })).body).to.include({ points: 1 });
  });

  for (const [name, fault] of [
    ['a limit', { status: 429, body: null }],
    ['an error', { status: 500, body: null }],
    ['garbage', { status: 200, body: '<html>' }],
    ['nothing at all', { status: 0, body: null }],
  ] as const) {
    it(`awards nothing and takes nothing when the network answers with ${name}`, async () => {
      const { token, fan } = await world.fan(`g-${name.replace(/ /g, '')}`);
      does('x', `g-${name.replace(/ /g, '')}`, 'athlete1');
      await follow(token, 'athlete1');
      world.sandbox.world.faults.push({
        network: 'x',
        path: '/2/users',
        status: fault.status,
        times: 12,
        latencyMs: 0,
        body: fault.body,
      });
      const answer = await follow(token, 'athlete2');
      expect(answer.status).to.equal(202);
      expect(answer.body).to.include({ verdict: 'unknown', awarded: 0, points: 1 });
      expect((answer.body as { job?: string }).job).to.be.a('string');
      for (let round = 0; round < 2; round += 1) {
        await world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
        world.clock.advance(13 * HOUR);
      }
      world.sandbox.world.faults.length = 0;
      expect((await world.api('/me', { token })).body).to.include({ points: 1 });
      world.clock.advance(HOUR);
    });
  }

  it(
    'finds at the first link what the fan followed already, in the fewest calls, with ' +
      'progress',
    async () => {
      await world.settle();
      for (const athlete of ['athlete1', 'athlete2', 'athlete3']) {
        world.sandbox.world.add({ handle: 'old', name: 'Old hand' });
        does('x', 'old', athlete);
      }
      const heard: number[] = [];
      const off = world.context.bus.on('follows:progress', ({ done }) => {
        heard.push(done);
      });
      const before = world.sandbox.world.log.filter((one) =>
        one.path.startsWith('/2/users?'),
      ).length;
      const { token } = await world.fan('old');
      await world.settle();
      off();
      expect((await world.api('/me', { token })).body).to.include({ points: 3, medal: 'silver' });
      expect(
        world.sandbox.world.log.filter((one) => one.path.startsWith('/2/users?')).length - before,
      ).to.equal(world.context.networks.adapter('x').planCheck(3).calls);
      expect(heard).to.deep.equal([3]);
    },
  );

  it('asks every linked network again when asked to', async () => {
    const { token } = await world.fan('f9');
    await world.settle();
    does('x', 'f9', 'athlete2');
    expect(
      (await world.api('/follows/check', { method: 'POST', token, body: {} })).status,
    ).to.equal(202);
    await world.settle();
    expect((await world.api('/me', { token })).body).to.include({ points: 1 });
  });

  it(
    'gives nothing new from the instant an account is revoked, also to who was asking when it ' +
      'was',
    async () => {
      await world.verify('athlete4', 'x');
      const { token } = await world.fan('f10');
      await world.settle();
      does('x', 'f10', 'athlete4');
      const by = await world.moderator();
      const { items } = await world.context.registry.queue(by, 'verified');
      // The network has the question, the account is verified still; it is revoked before the answer
      // comes, and the answer is yes.
      world.sandbox.world.faults.push({
        network: 'x',
        path: '/2/users',
        status: 200,
        times: 1,
        latencyMs: 400,
        body: null,
      });
      const log = world.sandbox.world.log.length;
      const answer = follow(token, 'athlete4');
      await until(() => world.sandbox.world.faults.every((one) => one.times === 0));
      expect(world.sandbox.world.log.length, 'not answered yet').to.equal(log);
      await world.context.registry.revoke(
        by,
        items.find((one) => one.athlete === 'athlete4')?._id ?? '',
        'not theirs',
      );
      expect((await answer).body).to.include({ id: 'not_verified' });
      expect((await world.api('/me', { token })).body).to.include({ points: 0 });
      expect((await follow(token, 'athlete4')).body).to.include({ id: 'not_verified' });
    },
  );

  it(
    'asks once more when the running ask that was joined is older than what was taken back ' +
      'meanwhile',
    async () => {
      const { token, fan } = await world.fan('f11');
      await world.settle();
      does('x', 'f11', 'athlete1');
      await follow(token, 'athlete1');
      world.sandbox.world.faults.push({
        network: 'x',
        path: '/2/users',
        status: 200,
        times: 1,
        latencyMs: 400,
        body: null,
      });
      const running = world.context.follows.sweep.recheck({ network: 'x', fans: [fan._id] });
      await until(() => world.sandbox.world.faults.every((one) => one.times === 0));
      const [held] = await world.context.points.statement(fan._id, 1);
      if (!held) throw new Error('nothing held');
      const { deed, card, account, athlete, disciplines } = held;
      const facts = { account, on: 'account' as const, athlete, disciplines };
      await world.context.points.record({
        fan: fan._id,
        deed,
        want: 'take',
        facts,
        cause: 'undo',
        act: null,
        card,
        link: null,
        evidence: null,
        askedAt: world.clock.now(),
      });
      expect((await follow(token, 'athlete1')).body).to.include({
        verdict: 'yes',
        awarded: 1,
        turn: 3,
        points: 1,
      });
      await running;
    },
  );

  it('works the same when every message of the bus is lost', async () => {
    const deaf = await startWorld({ deaf: true });
    await deaf.athletes();
    await deaf.verify('athlete1', 'x');
    const { token } = await deaf.fan('fan2');
    deaf.sandbox.world.relate(
      'x',
      deaf.sandbox.world.person('fan2') as never,
      deaf.sandbox.world.person('athlete1') as never,
      true,
    );
    const answer = await deaf.api('/athletes/athlete1/follow', {
      method: 'POST',
      token,
      body: { network: 'x' },
    });
    await deaf.context.points.heal();
    await deaf.settle();
    const board = (await deaf.api('/boards/hub')).body as unknown as { items: unknown[] };
    await deaf.close();
    expect(answer.body).to.include({ awarded: 1 });
    expect(board.items).to.have.length(1);
  });
});

describe('following under the hub\u2019s own card', () => {
  let world: World;
  before(async () => {
    world = await startWorld({ card: 'hub' });
    await world.athletes();
    await world.verify('athlete1', 'x');
  });
  after(() => world.close());

  it('earns by the act on the page, is taken back at once, and asks no network', async () => {
    const { token } = await world.fan('h1');
    await world.settle();
    const calls = world.sandbox.world.log.length;
    const send = (method: string, turn?: number) =>
      world.api('/athletes/athlete1/follow', {
        method,
        token,
        body: { network: 'x', ...(turn === undefined ? {} : { turn }) },
      });
    expect((await send('POST')).body).to.include({ verdict: 'yes', awarded: 1, points: 1 });
    expect((await send('POST')).body).to.include({ awarded: 0, points: 1 });
    expect((await send('DELETE')).body).to.include({ turn: 2, points: 0 });
    expect((await send('POST', 0)).body).to.include({ awarded: 0, turn: 2 });
    expect(world.sandbox.world.log.length).to.equal(calls);
  });

  it(
    'answers a late repeat of a follow that was undone meanwhile as the deed stands, and ' +
      'gives nothing',
    async () => {
      const { token } = await world.fan('h-late');
      const act = async (method: string, turn: number) =>
        (
          await world.api('/athletes/athlete1/follow', {
            method,
            token,
            body: { network: 'x', turn },
          })
        ).body;
      expect(await act('POST', 0)).to.include({ verdict: 'yes', awarded: 1, turn: 1 });
      expect(await act('DELETE', 1)).to.include({ verdict: 'no', turn: 2, points: 0 });
      expect(await act('POST', 0)).to.include({ verdict: 'no', awarded: 0, turn: 2, points: 0 });
      expect(await act('POST', 2)).to.include({ verdict: 'yes', awarded: 1, turn: 3, points: 1 });
    },
  );

  it('waits for the next day after three times, and comes then', async () => {
    const { token } = await world.fan('h2');
    const send = (method: string) =>
      world.api('/athletes/athlete1/follow', { method, token, body: { network: 'x' } });
    for (let round = 0; round < 3; round += 1) {
      await send('POST');
      await send('DELETE');
    }
    const fourth = (await send('POST')).body as { waitsUntil?: string };
    expect(fourth).to.include({ awarded: 0 });
    expect(new Date(fourth.waitsUntil ?? 0).getTime()).to.be.greaterThan(
      world.clock.now().getTime(),
    );
    world.clock.advance(25 * HOUR);
    await world.sweep();
    expect((await world.api('/me', { token })).body).to.include({ points: 1 });
  });

  it('never lets a network\u2019s no touch a deed of the hub', async () => {
    const { token, fan } = await world.fan('h3');
    await world.api('/athletes/athlete1/follow', { method: 'POST', token, body: { network: 'x' } });
    await world.context.cards.sign('x', { mode: 'confirmed', deeds: ['follow'] }, 'test');
    for (let round = 0; round < 3; round += 1) {
      await world.context.follows.checkNetwork(fan._id, 'x');
      world.clock.advance(13 * HOUR);
    }
    expect((await world.api('/me', { token })).body).to.include({ points: 1 });
  });

  it('earns nothing without a card, or by one that nobody signed', async () => {
    await world.context.cards.sign('x', { mode: 'off', deeds: [] }, 'test');
    const { token } = await world.fan('h4');
    const send = () =>
      world.api('/athletes/athlete1/follow', { method: 'POST', token, body: { network: 'x' } });
    expect((await send()).body).to.include({ id: 'card_off', status: 403 });
    await world.context.connection.collection('cards').insertOne({
      _id: 'x@99' as never,
      network: 'x',
      version: 99,
      mode: 'hub',
      deeds: ['follow'],
      from: '2020-01-01T00:00:00.000Z',
      signedBy: 'thief',
      signature: 'AAAA',
    });
    world.clock.advance(HOUR);
    expect((await send()).body).to.include({ id: 'card_off' });
  });
});
