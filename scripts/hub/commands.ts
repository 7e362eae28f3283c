import { VillageError } from '../../server/errors.js';
import { NETWORKS, type NetworkId } from '../../server/networks/network.js';
import { ROLES, type Role } from '../../server/platform/rights.js';
import { seedDemo } from '../demo/seed.js';
import { demoFan } from '../demo/sign-in.js';
import { note, print } from './output.js';
import type { Work } from './work.js';

const isRole = (name: string): name is Role => (ROLES as readonly string[]).includes(name);

/** Gives a fan a role, or takes it. */
export const giveRole =
  (who: string, name: string, take: boolean): Work =>
  async ({ fans }) => {
    if (!isRole(name)) {
      note(`There is no role ${name}. Roles: ${ROLES.join(', ')}.`);
      return 1;
    }
    const fan = await fans.resolve(who);
    if (!fan) {
      note(`Nobody here is ${who}. FAN is a hub id or network:handle (x:name).`);
      return 1;
    }
    const changed = await fans.setRole(fan._id, name, !take, 'operator');
    print(`${changed.handle} (${changed._id}): ${changed.roles.join(', ') || 'fan'}`);
    return 0;
  };

/** Makes a personal API token and prints it; at a demo, somebody who is no fan yet becomes one. */
export const makeToken =
  (who: string): Work =>
  async (context) => {
    let fan = await context.fans.resolve(who);
    if (!fan && (await context.settings.get('demo'))) {
      const [network, handle] = who.includes(':') ? who.split(':', 2) : [null, who];
      const networks: NetworkId[] = network ? [network as NetworkId] : [...NETWORKS];
      fan = await demoFan(context, handle ?? '', networks).catch(() => null);
    }
    if (!fan) {
      note(
        `Nobody here is ${who}. FAN is a hub id or network:handle (x:name); ` +
          "the demo's people also go by their plain handle.",
      );
      return 1;
    }
    print(await context.tokens.create(fan._id, 'command line'));
    return 0;
  };

/** Checks the whole ledger and names the first bad entry. */
export const ledgerVerify: Work = async ({ points }) => {
  const found = await points.verify();
  if (found.bad) {
    note(`Bad entry: fan ${found.bad.fan}, seq ${found.bad.seq}: ${found.bad.reason}`);
    return 1;
  }
  print(
    `The ledger is right: ${found.entries} entries of ${found.fans} fans, ${found.points} points.`,
  );
  return 0;
};

/** Builds every board anew. */
export const boardsRebuild: Work = async ({ points }) => {
  const done = await points.rebuild();
  print(done ? 'The boards are rebuilt.' : 'A rebuild is under way already.');
  return done ? 0 : 1;
};

/** Takes an athlete out of the directory, or brings one back. */
export const hideAthlete =
  (slug: string, hidden: boolean): Work =>
  async ({ athletes, audit }) => {
    const athlete = await athletes.hide(slug, hidden).catch((error: unknown) => {
      if (error instanceof VillageError) return null;
      throw error;
    });
    if (!athlete) {
      note(
        `Nobody in the directory is ${slug}. SLUG is the last part of the address of their page.`,
      );
      return 1;
    }
    const act = hidden ? 'athlete.hidden' : 'athlete.shown';
    await audit.add({ by: 'operator', act, on: `athlete:${athlete._id}` });
    print(`${athlete.name} is ${hidden ? 'hidden' : 'shown again'}.`);
    return 0;
  };

/** Fills an empty hub with the demo. */
export const seed: Work = async (context) => {
  const seeded = await seedDemo(context, note);
  print(seeded ? 'The demo is there now.' : 'The demo was there already.');
  return 0;
};
