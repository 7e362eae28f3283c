import { randomBytes } from 'node:crypto';
import { TokenVault } from '../../server/platform/secrets.js';
import type { Program } from '../program.js';
import { pause } from '../services/process.js';
import { bulkFans, type BenchHub } from './hub.js';
import { cpu, row, say } from './table.js';

const STARS = 50;
const BATCH = 100;

/**
 * Makes fans with linked identities who hold deeds under a confirmed card, and follow on the
 * network what they hold.
 */
async function people(hub: BenchHub): Promise<{ fan: string; token: string }[]> {
  const { context, sandbox, sizes } = hub;
  const made = await bulkFans(context, sizes.identities, 'burst');
  const vault = new TokenVault(context.config.tokenKeys);
  const card = await context.cards.require('x', 'follow');
  const stars = (await context.registry.verified('x')).slice(0, STARS);
  const now = new Date();
  for (let from = 0; from < made.length; from += BATCH) {
    const some = made.slice(from, from + BATCH).map(({ fan }, n) => {
      const person = sandbox.world.add({ handle: `burst${from + n}`, name: 'Burst' });
      const { access, refresh } = sandbox.oauths.x.issue(
        person.handle,
        ['tweet.read', 'users.read', 'follows.read', 'offline.access'],
        fan,
        86_400,
      );
      return { fan, person, link: randomBytes(9).toString('base64url'), access, refresh };
    });
    const expiresAt = new Date(now.getTime() + 86_400_000);
    await context.connection.collection('identities').insertMany(
      some.map(({ fan, person, link, access, refresh }) => ({
        _id: `burst-${person.handle}` as never,
        ...{
          fan,
          network: 'x',
          networkId: person.ids.x,
          handle: person.handle,
          name: person.name,
          link,
        },
        sealed: vault.seal(
          JSON.stringify({ accessToken: access, refreshToken: refresh, expiresAt, scopes: [] }),
          `${fan}:x`,
        ),
        ...{
          expiresAt,
          scopes: [],
          linkedAt: now,
          checkedAt: now,
          askAt: new Date(now.getTime() + 86_400_000),
        },
      })),
    );
    await Promise.all(
      some.map(({ fan, person, link }, n) =>
        context.points.recordMany(
          fan,
          Array.from(
            { length: sizes.deeds },
            (_x, k) => stars[(n + k) % stars.length] as (typeof stars)[number],
          ).map((star) => {
            const account = sandbox.world.byX(star.accountId);
            if (account) sandbox.world.relate('x', person, account, true);
            return {
              ...{
                fan,
                deed: `follow:x:${star.accountId}`,
                want: 'give' as const,
                cause: 'network_yes' as const,
                act: null,
                askedAt: now,
                link,
                evidence: null,
              },
              card: `${card.id}:${card.mode}`,
              facts: {
                account: star.accountId,
                on: 'account' as const,
                athlete: star.athlete.id,
                disciplines: star.athlete.disciplines,
              },
            };
          }),
        ),
      ),
    );
    if (from % 10_000 === 0) say(`burst: ${from + some.length} of ${sizes.identities} fans made`);
  }
  return made;
}

/** Asks for a fan's own check by the API; answers after how many ms the network was asked. */
async function check(
  hub: BenchHub,
  { fan, token }: { fan: string; token: string },
): Promise<number> {
  const begun = performance.now();
  let end: () => void = () => undefined;
  const answered = new Promise<number>((resolve) => {
    end = hub.context.bus.on('follows:progress', (news) => {
      if (news.fan === fan && news.done >= news.total) resolve(performance.now() - begun);
    });
  });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(`${hub.url}/api/v1/follows/check`, {
    method: 'POST',
    headers,
    body: '{}',
  });
  if (answer.status !== 202) throw new Error(`the check answered ${answer.status}`);
  const ms = await Promise.race([answered, pause(30_000).then(() => Infinity)]);
  end();
  return ms;
}

/**
 * Lets everybody's identity come due at once: the time until all were asked, with one worker and
 * with two, and how long a fan's own check takes meanwhile. Needs a started web process at the
 * hub's address.
 */
export async function burst(hub: BenchHub, startWorker: () => Promise<Program>): Promise<void> {
  const { context, sizes } = hub;
  await context.cards.sign('x', { mode: 'confirmed', deeds: ['follow'] }, 'bench');
  const made = await people(hub);
  const identities = context.connection.collection('identities');
  const asker = made.slice(0, 200);
  for (const workers of [1, 2]) {
    await context.connection.collection('jobs').deleteMany({});
    await identities.updateMany({}, { $set: { askAt: new Date(1), checkedAt: new Date(1) } });
    const begun = performance.now();
    const running = await Promise.all(Array.from({ length: workers }, startWorker));
    const checks: number[] = [];
    for (let left = sizes.identities, turn = 0; left > 0; turn += 1) {
      await pause(1000);
      checks.push(await check(hub, asker[turn % asker.length] as (typeof made)[number]));
      left = await identities.countDocuments({ checkedAt: new Date(1) });
      if (turn % 10 === 0)
        say(`burst: ${left} left after ${Math.round((performance.now() - begun) / 1000)} s`);
    }
    const seconds = (performance.now() - begun) / 1000;
    const used = running.reduce((sum, { pid }) => sum + cpu(pid), 0);
    await Promise.all(running.map((worker) => worker.stop()));
    checks.sort((a, b) => a - b);
    // The network keeps no list that long: each yes is in the doubts, with the round that heard it.
    const heard =
      (await context.connection
        .collection('doubts')
        .countDocuments({ state: 'held', yesRound: { $gte: workers } })) / sizes.deeds;
    const total = sizes.identities;
    const middle = Math.round(checks[Math.floor(checks.length / 2)] ?? 0);
    row(
      `${total} identities due, ${workers} worker${workers > 1 ? 's' : ''}`,
      `all asked in ${seconds.toFixed(1)} s, ${Math.round(total / seconds)} a second, ` +
        `${heard} heard, ${((used / total) * 1000).toFixed(2)} ms of a worker’s processor each; ` +
        `a fan’s own check meanwhile p50 ${middle} ms, ` +
        `slowest ${Math.round(checks.at(-1) ?? 0)} ms of ${checks.length}`,
      'one call a fan is the least',
      'own check 2 s',
    );
  }
}
