import { join } from 'node:path';
import type { Lock } from '../../server/locks/service.js';
import { chain, headOf, NO_HEAD, type Entry, type Head } from '../../server/points/entry.js';
import { makeDeed } from '../../server/points/service.js';
import { root } from '../root.js';
import { bulkFans, type BenchHub } from './hub.js';
import { closed, type Figures, type Shot } from './load.js';
import { row, say, text } from './table.js';

/** Follows that each of them has made before, and how many are measured after it. */
const BEFORE = 99;
const EACH = 5;
/**
 * The stars who are followed while it is measured: the locks of all videos speak of them and of no
 * others.
 */
const FIRST = 100;
const STARS = 50;
const VIDEOS = 60;

const star = (n: number): string => `star${FIRST + (n % STARS)}`;
/** Locks of every kind, spread over the stars that are followed: nearly three mention each. */
function lockOf(n: number): Lock {
  const follow = (count: number, need: number, network: 'x' | null = null): Lock[number] => ({
    kind: 'follow',
    athletes: Array.from({ length: count }, (_x, index) => star(n * 7 + index * 3)),
    need,
    network,
  });
  const kinds: Lock[] = [
    [follow(1, 1)],
    [follow(3, 2)],
    [follow(5, 5)],
    [follow(3, 1, 'x')],
    [{ kind: 'medal', scope: 'hub', medal: 'gold' }],
    [follow(4, 3), { kind: 'medal', scope: 'fencing', medal: 'silver' }],
  ];
  return kinds[n % kinds.length] as Lock;
}

/** Writes statements as so many follows would have, and the scores behind them. */
async function follow99({ context, sandbox }: BenchHub, fans: string[]): Promise<void> {
  const rules = await context.points.rules.read();
  const [entries, scores] = [
    context.connection.collection('entries'),
    context.connection.collection('scores'),
  ];
  for (let from = 0; from < fans.length; from += 50) {
    const made: Entry[] = [];
    const heads = new Map<string, Head>();
    for (const fan of fans.slice(from, from + 50)) {
      let head = NO_HEAD;
      for (let n = 0; n < BEFORE; n += 1) {
        const at = new Date(Date.now() - 86_400_000 + n * 1000);
        const season = String(at.getUTCFullYear());
        const account = sandbox.world.person(`star${n}`)?.ids.x ?? '';
        const facts = {
          account,
          on: 'account' as const,
          athlete: `star${n}`,
          disciplines: ['fencing'],
          season,
          earnedAt: at,
        };
        const how = {
          cause: 'hub_click' as const,
          act: null,
          card: 'x@1:hub',
          link: null,
          evidence: null,
          askedAt: at,
        };
        const terms = {
          at,
          zone: context.config.timezone,
          season,
          rules,
        };
        const deed = makeDeed({ kind: 'follow', network: 'x', id: account });
        const entry = chain(head, { fan, deed, turn: 1, facts, how }, terms);
        made.push(entry);
        head = headOf(entry);
      }
      heads.set(fan, head);
    }
    await entries.insertMany(made, { ordered: false });
    await scores.insertMany(
      [...heads].map(([fan, { seq, after }]) => ({
        _id: fan as never,
        seq,
        after,
        standing: { rankable: true, name: fan, country: 'FR', revision: 1 },
      })),
      { ordered: false },
    );
  }
}

/**
 * What a follow costs a fan who has made ninety-nine in a hub that holds sixty videos with locks of
 * every kind, beside the same fans before there were any videos and a first follow in the same hub:
 * it must not be felt.
 */
export async function hundredth(hub: BenchHub): Promise<void> {
  const fans = hub.sizes.hundred;
  const headers = { 'content-type': 'application/json' };
  const run = async (people: { token: string }[], from: number, each: number): Promise<Figures> => {
    let index = 0;
    return closed(hub.url, 128, (): Shot | null => {
      const fan = people[index % people.length];
      const n = from + Math.floor(index / people.length);
      index += 1;
      return index > people.length * each
        ? null
        : {
            method: 'POST',
            path: `/api/v1/athletes/${star(n + index * 11)}/follow`,
            headers: { ...headers, authorization: `Bearer ${fan?.token ?? ''}` },
            body: '{"network":"x"}',
          };
    });
  };
  const people = await bulkFans(hub.context, fans, 'hundred');
  await follow99(
    hub,
    people.map(({ fan }) => fan),
  );
  say(`${fans} fans with ${BEFORE} follows each are there`);
  await run(await bulkFans(hub.context, 1500, 'warm'), 0, 1);
  const first = await run(await bulkFans(hub.context, fans * EACH, 'first'), 0, 1);
  const empty = await run(people, 0, EACH);
  const clip = (name: string): string => join(root, 'scripts', 'demo', 'clips', name);
  const both = { fr: 'Clip', en: 'Clip' };
  const captions = { fr: 'WEBVTT\n', en: 'WEBVTT\n' };
  for (let n = 0; n < VIDEOS; n += 1) {
    const facts = {
      slug: `clip-${n}`,
      title: both,
      about: both,
      athlete: star(n),
      lock: lockOf(n),
      seconds: 8,
      captions,
      transcript: both,
    };
    await hub.context.videos.publish({ id: hub.organiser, roles: ['organiser'] }, facts, {
      media: clip('tenir-la-distance.mp4'),
      poster: clip('tenir-la-distance.jpg'),
    });
  }
  const full = await run(people, EACH, EACH);
  row(
    `a fan's hundredth follow, ${VIDEOS} videos`,
    `${text(full)}; without videos ${text(empty)}; a first follow ${text(first)}`,
    `${Math.round((100 * full.perSecond) / first.perSecond)} % of a first follow`,
    '80 %',
  );
  const { bad } = await hub.context.points.verify();
  if (bad) throw new Error(`the ledger is wrong after the run: ${JSON.stringify(bad)}`);
}
