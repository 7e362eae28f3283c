import { pause } from '../services/process.js';
import { bulkFans, type BenchHub } from './hub.js';
import { closed, open, type Shot } from './load.js';
import { demoFan } from '../demo/sign-in.js';
import { row, text } from './table.js';

/** From follow to points: acknowledged, settled and at a steady rate; verifies the ledger then. */
export async function awards(hub: BenchHub, bare: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const limit = await closed(
    bare,
    64,
    ((left) => (): Shot | null =>
      (left -= 1) >= 0 ? { method: 'POST', path: '/', headers, body: '{"network":"x"}' } : null)(
      20_000,
    ),
  );
  const people = await bulkFans(hub.context, hub.sizes.awards + 6000, 'award');
  let index = 0;
  const shot = (): Shot | null => {
    const fan = people[index];
    index += 1;
    return fan
      ? {
          method: 'POST',
          path: `/api/v1/athletes/star${index % 50}/follow`,
          headers: { ...headers, authorization: `Bearer ${fan.token}` },
          body: '{"network":"x"}',
        }
      : null;
  };
  await closed(hub.url, 32, ((left) => () => ((left -= 1) >= 0 ? shot() : null))(1000));
  const entries = hub.context.connection.collection('entries');
  const before = await entries.countDocuments();
  const begun = performance.now();
  const acknowledged = await closed(
    hub.url,
    128,
    ((left) => () => ((left -= 1) >= 0 ? shot() : null))(hub.sizes.awards),
  );
  // Settled: the scores know every entry. Boards are written in the same pass.
  for (;;) {
    if (
      (await hub.context.connection.collection('scores').countDocuments()) >=
      (await entries.countDocuments())
    )
      break;
    await pause(50);
  }
  const settled = (performance.now() - begun) / 1000;
  const wrote = (await entries.countDocuments()) - before;
  row(
    'follow to points, acknowledged',
    `${text(acknowledged)}; ${wrote} entries`,
    `express POST ${limit.perSecond}/s`,
    '1500 / 4000 a second',
  );
  row('follow to points, settled', `${Math.round(wrote / settled)}/s`, '', '1500 / 4000 a second');
  const steady = await open(hub.url, 500, 8, shot);
  row('follow to points at 500 a second', text(steady), '', 'p99 60 / 30 ms');
  await confirmed(hub);
  const { bad } = await hub.context.points.verify();
  if (bad) throw new Error(`the ledger is wrong after the run: ${JSON.stringify(bad)}`);
}

/**
 * The same under a `confirmed` card: each follow is one call to a network, here the sandbox on the
 * same two cores.
 */
async function confirmed({ context, sandbox, url }: BenchHub): Promise<void> {
  await context.cards.sign('x', { mode: 'confirmed', deeds: ['follow'] }, 'bench');
  const people: { token: string; star: number }[] = [];
  for (let n = 0; n < 600; n += 1) {
    const me = sandbox.world.add({ handle: `asked${n}`, name: 'Asked' });
    const star = sandbox.world.person(`star${n % 50}`);
    if (star) sandbox.world.relate('x', me, star, true);
    const fan = await demoFan(context, me.handle, ['x']);
    people.push({ token: await context.tokens.create(fan._id, 'bench'), star: n % 50 });
  }
  let index = 0;
  const shot = (): Shot | null => {
    const fan = people[index];
    index += 1;
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${fan?.token ?? ''}`,
    };
    return fan
      ? {
          method: 'POST',
          path: `/api/v1/athletes/star${fan.star}/follow`,
          headers,
          body: '{"network":"x"}',
        }
      : null;
  };
  row(
    'follow to points under a confirmed card',
    text(await closed(url, 32, shot)),
    'the network answers on the same cores',
    'no goal',
  );
  await context.cards.sign('x', { mode: 'hub', deeds: ['follow'] }, 'bench');
}

/** What the store costs when a fan links a network on which they follow every star. */
export async function firstLink(hub: BenchHub): Promise<void> {
  const { context, sandbox, sizes } = hub;
  await context.cards.sign('x', { mode: 'confirmed', deeds: ['follow'] }, 'bench');
  const calls = (): number =>
    sandbox.world.log.filter(({ path }) => path.startsWith('/2/users?')).length;
  const plan = context.networks.adapter('x').planCheck(sizes.stars);
  const rounds: { ms: number; network: number; calls: number; points: number }[] = [];
  // The first round also compiles and fills what a running hub has long had: it stands apart.
  for (let round = 0; round < 8; round += 1) {
    const me = sandbox.world.add({ handle: `collector${round}`, name: 'Collector' });
    for (let n = 0; n < sizes.stars; n += 1) {
      const star = sandbox.world.person(`star${n}`);
      if (star) sandbox.world.relate('x', me, star, true);
    }
    const fan = await demoFan(context, me.handle, ['x']);
    const before = calls();
    const begun = performance.now();
    await context.follows.checkNetwork(fan._id, 'x');
    const ms = performance.now() - begun;
    const made = calls() - before;
    const asked = performance.now();
    const usable = await context.fans.identities.usable(fan._id, 'x');
    const accounts = (await context.registry.verified('x')).map(({ accountId }) => accountId);
    if (usable?.tokens)
      await context.networks
        .adapter('x')
        .check({ tokens: usable.tokens, person: usable.identity.networkId, accounts });
    rounds.push({
      ms,
      network: performance.now() - asked,
      calls: made,
      points: (await context.points.head(fan._id)).after.points,
    });
  }
  const [first, ...warm] = rounds as [(typeof rounds)[number], ...typeof rounds];
  const middle = warm.sort(
    (a, b) => a.ms - a.network - (b.ms - b.network),
  )[3] as (typeof rounds)[number];
  const store = (round: (typeof rounds)[number]): number => Math.round(round.ms - round.network);
  row(
    `first link, ${sizes.stars} athletes`,
    `${middle.calls} calls, ${middle.points} points, ${Math.round(middle.ms)} ms in all, ` +
      `about ${store(middle)} ms of it the store (the very first: ${store(first)} ms)`,
    `plan ${plan.calls} calls; asking alone ${Math.round(middle.network)} ms`,
    'calls = plan; store 200 / 100 ms',
  );
  await context.cards.sign('x', { mode: 'hub', deeds: ['follow'] }, 'bench');
}
