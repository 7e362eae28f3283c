import { expect } from 'chai';
import type { Browser } from '../support/browserless.js';
import { startWorld, type World } from '../support/world.js';
import { ROLES } from '../../server/platform/rights.js';

/**
 * Jobs that failed too often are seen by organisers, and started again by them, in a browser
 * without JavaScript and by the API.
 */
describe('jobs that were given up', function () {
  this.timeout(30_000);
  let world: World;
  let broken = true;
  const tokens: Record<string, string> = {};
  const done: string[] = [];
  const ended = async (): Promise<{ id: string; kind: string; name: string; reason: string }[]> =>
    (await world.context.jobs.ended(10)).items;
  const fail = async (name: string): Promise<string> => {
    broken = true;
    await world.context.jobs.add('test.job', name, name);
    await world.context.jobs.drain();
    broken = false;
    return (await ended()).find((each) => each.name === name)?.id ?? '';
  };

  before(async () => {
    world = await startWorld();
    world.context.jobs.handle('test.job', { attempts: 1 }, (name: string) => {
      if (broken) return Promise.reject(new Error(`<b>${name}</b> cannot be`));
      done.push(name);
      return Promise.resolve(null);
    });
    tokens['fan'] = (await world.fan('fan1')).token;
    for (const role of ROLES) tokens[role] = (await world.fan(`${role}1`, { role })).token;
  });
  after(() => world.close());

  const mayDoSo = new Set(['organiser', 'admin']);
  for (const who of ['fan', ...ROLES])
    it(
      `are ${mayDoSo.has(who) ? 'shown to and started by' : 'refused to'} ` +
        `a${/^[aeiou]/.test(who) ? 'n' : ''} ${who} through the API`,
      async () => {
        const id = await fail(`api-${who}`);
        const list = await world.api('/jobs', { token: tokens[who] ?? '' });
        const start = await world.api(`/jobs/${id}/start`, {
          method: 'POST',
          token: tokens[who] ?? '',
          body: {},
        });
        expect([list.status, start.status]).to.deep.equal(
          mayDoSo.has(who) ? [200, 202] : [403, 403],
        );
        if (!mayDoSo.has(who))
          expect([list.body['id'], start.body['id']]).to.deep.equal(['not_allowed', 'not_allowed']);
        else
          expect((list.body as unknown as { items: object[] }).items[0]).to.include({
            kind: 'test.job',
            name: `api-${who}`,
            attempts: 1,
          });
        await world.context.jobs.drain();
        expect(done.includes(`api-${who}`)).to.equal(mayDoSo.has(who));
        const fan = await world.context.fans.resolve(`x:${who}1`);
        expect(
          (await world.context.audit.about(`job:test.job:api-${who}`)).map(({ act, by }) => [
            act,
            by,
          ]),
        ).to.deep.equal(mayDoSo.has(who) ? [['job.started', fan?._id]] : []);
      },
    );

  it('are refused to a visitor, and to an organiser’s token without that scope', async () => {
    const organiser = await world.context.fans.resolve('x:organiser1');
    const narrow = await world.context.tokens.create(organiser?._id ?? '', 'narrow', [
      'read',
      'moderate',
    ]);
    expect((await world.api('/jobs')).status).to.equal(401);
    for (const path of ['/jobs', '/jobs/0123456789abcdef01234567/start'])
      expect(
        (
          await world.api(path, {
            method: path === '/jobs' ? 'GET' : 'POST',
            token: narrow,
            body: path === '/jobs' ? undefined : {},
          })
        ).body,
      ).to.include({
        id: 'missing_scope',
        status: 403,
      });
  });

  it('are not found when they are not there, whatever their id looks like', async () => {
    for (const id of ['0123456789abcdef01234567', 'nothing', '%7B%22$ne%22:null%7D'])
      expect(
        (
          await world.api(`/jobs/${id}/start`, {
            method: 'POST',
            token: tokens['admin'] ?? '',
            body: {},
          })
        ).body,
      ).to.include({
        id: 'job_not_found',
        status: 404,
      });
  });

  const signedIn = async (who: string): Promise<Browser> => {
    const browser = world.browser();
    await browser.signIn('x', `${who}1`);
    return browser;
  };

  it(
    'stand on a page in both languages, with what went ' + 'wrong, and start again at a press',
    async () => {
      const id = await fail('by-form');
      const browser = await signedIn('organiser');
      const page = await browser.go('/en/console');
      expect(page.text)
        .to.contain('Another job')
        .and.to.contain('&lt;b&gt;by-form&lt;/b&gt; cannot be')
        .and.to.contain('1 try');
      expect((await browser.go('/fr/console')).text)
        .to.contain('Travaux abandonnés')
        .and.to.contain('1 essai');
      expect((await browser.go('/en')).text).to.contain('href="/en/console"');
      const fields = browser.form(page.text, `/console/jobs/${id}/start`);
      const after = await browser.post(`/en/console/jobs/${id}/start`, fields);
      expect([after.status, after.text.includes('The job starts again.')]).to.deep.equal([
        200,
        true,
      ]);
      await world.context.jobs.drain();
      expect(done).to.include('by-form');
      expect((await browser.post(`/en/console/jobs/${id}/start`, fields)).text).to.contain(
        'somebody has started it already',
      );
    },
  );

  for (const who of ['fan', ...ROLES.filter((role) => !mayDoSo.has(role))])
    it(`have no page for a${/^[aeiou]/.test(who) ? 'n' : ''} ${who}`, async () => {
      const id = await fail(`page-${who}`);
      const browser = await signedIn(who);
      expect((await browser.go('/en/console')).status).to.equal(404);
      expect((await browser.go('/en')).text).not.to.contain('/en/console');
      const { text } = await browser.go('/en/me/settings');
      expect(
        (await browser.post(`/en/console/jobs/${id}/start`, browser.form(text, '/sign-out')))
          .status,
      ).to.equal(404);
      await world.context.jobs.drain();
      expect(done).not.to.include(`page-${who}`);
    });

  it('send a visitor to sign in, and are not started without the form’s own token', async () => {
    expect((await world.browser().go('/en/console')).url).to.match(/\/en\/sign-in\?/);
    const id = await fail('forged');
    const browser = await signedIn('organiser');
    expect(
      (await browser.post(`/en/console/jobs/${id}/start`, new URLSearchParams())).status,
    ).to.equal(403);
    expect((await ended()).some((each) => each.name === 'forged')).to.equal(true);
  });

  it(
    'are counted by kind and state for whoever measures, with the age of the ' +
      'oldest that waits',
    async () => {
      await world.context.connection.collection('jobs').deleteMany({});
      await fail('counted');
      const at = new Date(world.clock.now().getTime() - 90_000);
      for (const name of ['due1', 'due2'])
        await world.context.jobs.add('test.job', name, name, { at });
      await world.context.jobs.add('test.job', 'later', 'later', {
        at: new Date(world.clock.now().getTime() + 90_000),
      });
      const headers = { authorization: `Bearer ${world.env['METRICS_TOKEN'] ?? ''}` };
      const text = await (await fetch(`${world.url}/metrics`, { headers })).text();
      const count = (state: string): number =>
        Number(
          new RegExp(`village_jobs\\{kind="test.job",state="${state}"\\} (\\d+)`).exec(text)?.[1],
        );
      expect(['waiting', 'later', 'running', 'ended'].map(count)).to.deep.equal([2, 1, 0, 1]);
      expect(
        Number(/village_jobs_oldest_seconds\{kind="test.job"\} ([\d.]+)/.exec(text)?.[1]),
      ).to.be.within(90, 120);
    },
  );
});
