import type { Cards } from '../../networks/cards.js';
import { NETWORKS } from '../../networks/network.js';
import type { PageDoors } from '../../platform/doors.js';
import type { Words } from '../../platform/i18n.js';
import type { Points } from '../../points/service.js';
import { presentRules } from './present.js';

/** Pages that are nothing but words. */
const TOPICS = ['rules', 'accessibility', 'credits'] as const;

/** How points count, rules and appeals, accessibility, the directory's credits. */
export function aboutPages(
  router: PageDoors,
  { points, cards, words }: { points: Points; cards: Cards; words: Words },
): void {
  router.get('/about/points', { who: 'anyone' }, async (req) => {
    const [rules, cardsNow] = await Promise.all([
      points.rules.read(),
      Promise.all(
        NETWORKS.map(async (network) => ({ network, card: await cards.cached(network) })),
      ),
    ]);
    const title = words.t(req.lang, 'about.points.title');
    await req.page('pages/about-points', { title }, presentRules(rules.now, cardsNow));
  });

  for (const topic of TOPICS) {
    router.get(`/about/${topic}`, { who: 'anyone' }, async (req) => {
      const title = words.t(req.lang, `about.${topic}.title`);
      const paragraphs = words.t(req.lang, `about.${topic}.text`).split('\n');
      await req.page('pages/about', { title }, { topic, heading: title, paragraphs });
    });
  }
}
