import { isNetwork, NETWORKS } from '../../networks/network.js';
import type { ApiDoors, PageDoors } from '../../platform/doors.js';
import { param, seeOther } from '../../platform/http.js';
import type { Words } from '../../platform/i18n.js';
import { presentNotice } from './notices.js';
import { presentAthlete, presentAthletePage } from './present.js';
import { readAthlete, type AthletePageParts } from './read.js';

/** Posts that the page shows. */
const POSTS = 4;

/** `GET /api/v1/athletes/:slug`. */
export function athleteApi(router: ApiDoors, parts: AthletePageParts & { words: Words }): void {
  router.get('/athletes/:slug', { who: 'anyone', scope: 'read' }, async (req, res) => {
    const athlete = await parts.athletes.require(param(req, 'slug'));
    const view = await readAthlete(parts, athlete, req.reader?.id ?? null);
    res.json(presentAthlete(parts.words, req.lang, view, req.reader !== null));
  });
}

/** The athlete's page. An old slug is sent to the current one. */
export function athletePage(router: PageDoors, parts: AthletePageParts & { words: Words }): void {
  const { athletes, registry, posts, words } = parts;
  router.get('/athletes/:slug', { who: 'anyone' }, async (req, res) => {
    const slug = param(req, 'slug');
    const athlete = await athletes.require(slug);
    if (athlete.slugs[0] !== slug) {
      res.redirect(301, `/${req.lang}/athletes/${athlete.slugs[0] ?? ''}`);
      return;
    }
    const { notice } = req.query;
    if (notice === 'not_linked') {
      seeOther(res, `/${req.lang}/me/settings?notice=link`);
      return;
    }
    // Nobody waits for a network: what it says is there at the next look.
    void registry.refresh(athlete._id).catch(() => undefined);
    const [view, newest] = await Promise.all([
      readAthlete(parts, athlete, req.reader?.id ?? null),
      posts.newest(athlete._id, POSTS),
    ]);
    const asked = req.query['network'];
    const network = isNetwork(asked) ? asked : NETWORKS[0];
    const account = view.accounts.find((candidate) => candidate.network === network);
    const said = presentNotice(words, req.lang, {
      ...{ notice, network, name: athlete.name },
      madeHere: account?.mode === 'hub',
    });
    await req.page(
      'pages/athlete',
      { title: athlete.name, section: 'athletes', script: 'athlete' },
      presentAthletePage(words, req.lang, view, {
        ...{ posts: newest, said },
        signedIn: req.reader !== null,
      }),
    );
  });
}
