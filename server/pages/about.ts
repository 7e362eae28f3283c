import type { PageDoors } from '../platform/doors.js';
import type { Cards } from '../networks/cards.js';
import { NETWORKS } from '../networks/network.js';
import type { Words } from '../platform/i18n.js';
import type { Points } from '../points/service.js';

/** How points count, rules and appeals, accessibility, the directory's credits. */
export function aboutPages(router: PageDoors, points: Points, cards: Cards, words: Words): void {
  router.get('/about/points', { who: 'anyone' }, async (req) => {
    const [rules, modes] = await Promise.all([
      points.rules.read(),
      Promise.all(
        NETWORKS.map(async (network) => ({ network, card: await cards.cached(network) })),
      ),
    ]);
    await req.page(
      'pages/about-points',
      { title: words.t(req.lang, 'about.points.title') },
      {
        hub: rules.now.hub.map((at, index) => ({ medal: ['bronze', 'silver', 'gold'][index], at })),
        discipline: rules.now.discipline.map((at, index) => ({
          medal: ['bronze', 'silver', 'gold'][index],
          at,
        })),
        version: rules.now.version,
        from: rules.now.from,
        cards: modes.map(({ network, card }) => ({
          network,
          mode: card?.mode ?? 'off',
          from: card?.from ?? null,
        })),
      },
    );
  });
  for (const topic of ['rules', 'accessibility', 'credits'] as const) {
    router.get(`/about/${topic}`, { who: 'anyone' }, async (req) => {
      await req.page(
        'pages/about',
        { title: words.t(req.lang, `about.${topic}.title`) },
        {
          topic,
          heading: words.t(req.lang, `about.${topic}.title`),
          paragraphs: words.t(req.lang, `about.${topic}.text`).split('\n'),
        },
      );
    });
  }
}
