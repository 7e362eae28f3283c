import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../../server/context.js';
import type { FanRecord } from '../../server/fans/service.js';
import { ATHLETES, IMPOSTOR, PEOPLE } from '../sandbox/people.js';
import { root } from '../root.js';
import { demoFan } from './sign-in.js';
import { ATHLETE_FACTS, CHATS, VIDEOS } from './content.js';
import type { Role } from '../../server/platform/rights.js';

const STAFF: [string, Role][] = [
  ['moderator1', 'moderator'],
  ['moderator2', 'moderator'],
  ['moderator3', 'moderator'],
  ['organiser1', 'organiser'],
  ['admin1', 'admin'],
  ['athlete1', 'athlete'],
  ['athlete2', 'athlete'],
  ['athlete3', 'athlete'],
];
const HANDLES = ATHLETES.map(({ handle }) => handle);
/** Whose accounts moderators have verified already. */
const VERIFIED = [
  ['x', HANDLES.slice(0, 9)],
  ['facebook', HANDLES.slice(0, 6)],
] as const;
const TO_DECIDE: { account: string; athlete: string }[] = [
  { account: 'x:athlete10', athlete: 'athlete10' },
  { account: 'x:athlete11', athlete: 'athlete11' },
  { account: 'x:athlete12', athlete: 'athlete12' },
  { account: 'facebook:athlete7', athlete: 'athlete7' },
  { account: `x:${IMPOSTOR.handle}`, athlete: 'athlete1' },
];

/**
 * Staff and athletes go by their (invented) names: a handle such as `moderator1` would be a role.
 */
const nameOf = (handle: string): string =>
  PEOPLE.find((each) => each.handle === handle)?.name ?? handle;

/**
 * Fills an empty hub with the demo, once, through the doors that people use. Answers false when it
 * is there already.
 */
export async function seedDemo(context: Context, say: (line: string) => void): Promise<boolean> {
  const { settings, athletes, cards, points, registry, fans, videos, chats } = context;
  if (await settings.get('demo.seeded')) return false;
  say('seeding the demo …');
  await settings.set('demo', true);
  await athletes.put(ATHLETE_FACTS);
  const rules = await points.rules.read();
  if (rules.now.hub.join() !== '1,3,5')
    await points.rules.set({ hub: [1, 3, 5], discipline: [1, 3, 5] });
  for (const network of ['x', 'facebook'] as const)
    if ((await cards.cached(network))?.mode !== 'confirmed')
      await cards.sign(
        network,
        { mode: 'confirmed', deeds: [network === 'x' ? 'follow' : 'like'] },
        'demo',
      );

  const people = new Map<string, FanRecord>();
  people.set('fan1', await demoFan(context, 'fan1', ['x', 'facebook']));
  for (const [handle, role] of STAFF)
    people.set(
      handle,
      await fans.setRole(
        (await demoFan(context, handle, ['x'], nameOf(handle)))._id,
        role,
        true,
        'demo',
      ),
    );
  const actor = (handle: string) => {
    const fan = people.get(handle) as FanRecord;
    return { id: fan._id, name: fan.handle, roles: fan.roles };
  };

  for (const [network, handles] of VERIFIED) {
    for (const handle of handles) {
      if ((await registry.lookup(`${network}:${handle}`)).result === 'listed') continue;
      const opened = await registry.submit(actor('moderator1'), `${network}:${handle}`, handle);
      if (opened.state === 'open')
        await registry.decide(actor('moderator2'), opened._id, {
          decision: 'grant',
          reason: 'Démonstration : vu en personne / Demo: met in person',
        });
    }
  }
  for (const each of TO_DECIDE)
    await registry.submit(actor('moderator1'), each.account, each.athlete).catch(() => undefined);

  for (const video of VIDEOS) {
    const media = join(root, 'scripts', 'demo', 'clips', `${video.slug}.mp4`);
    if (existsSync(media))
      await videos.publish(actor('organiser1'), video, {
        media,
        poster: join(root, 'scripts', 'demo', 'clips', `${video.slug}.jpg`),
      });
  }
  for (const chat of CHATS(context.clock.now())) {
    const { opening, ...record } = chat;
    await chats.open(actor('organiser1'), record);
    for (const [at, text] of opening.entries())
      await chats.say(
        actor(record.host),
        record._id,
        text,
        `demo-seed-${at}-${record._id}`.slice(0, 60),
      );
  }
  for (let after: string | null = ''; after !== null;)
    after = await context.posts.fetch(after, 100);
  await points.settled();
  await settings.set('demo.seeded', true);
  return true;
}
