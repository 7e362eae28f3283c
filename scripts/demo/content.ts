import type { AthleteFacts } from '../../server/athletes/service.js';
import type { VideoFacts } from '../../server/videos/schema.js';
import type { ChatRecord } from '../../server/village/service.js';
import { ATHLETES } from '../sandbox/people.js';

/** The demo's athletes as the directory takes them. */
export const ATHLETE_FACTS: AthleteFacts[] = ATHLETES.map((each) => ({
  source: 'demo',
  sourceId: each.handle,
  slug: each.handle,
  name: each.name,
  sex: '',
  noc: each.noc,
  country: each.country,
  disciplines: [each.discipline],
  games: ['2024-summer'],
  medals: { gold: 0, silver: 0, bronze: 0 },
  lastYear: 2024,
  demo: true,
}));

const vtt = (lines: [string, string][]): string =>
  `WEBVTT\n\n${lines.map(([span, text]) => `${span}\n${text}\n`).join('\n')}`;
const SPANS: [string, string, string] = [
  '00:00.000 --> 00:03.000',
  '00:03.000 --> 00:06.000',
  '00:06.000 --> 00:08.000',
];
const words = (
  fr: [string, string, string],
  en: [string, string, string],
): Pick<VideoFacts, 'captions' | 'transcript'> => ({
  captions: {
    fr: vtt(fr.map((text, at) => [SPANS[at] as string, text])),
    en: vtt(en.map((text, at) => [SPANS[at] as string, text])),
  },
  transcript: { fr: fr.join('\n'), en: en.join('\n') },
});

/**
 * The demo's clips: drawn by `clips/draw.ts`, eight seconds each, no sound. One lock of one
 * athlete, one of several, one of a medal.
 */
export const VIDEOS: VideoFacts[] = [
  {
    slug: 'tenir-la-distance',
    athlete: 'athlete1',
    seconds: 8,
    lock: [{ kind: 'follow', athletes: ['athlete1'], need: 1, network: null }],
    title: { fr: 'Tenir la distance', en: 'Keeping the distance' },
    about: {
      fr: 'Maëlle Kervran montre son pas de base.',
      en: 'Maëlle Kervran shows her basic step.',
    },
    ...words(
      ['La distance, c’est tout.', 'Un pas, un appui, jamais deux.', 'Et on recommence.'],
      ['Distance is everything.', 'One step, one foot, never two.', 'And again.'],
    ),
  },
  {
    slug: 'le-depart',
    athlete: 'athlete5',
    seconds: 8,
    lock: [
      { kind: 'follow', athletes: ['athlete5', 'athlete9', 'athlete2'], need: 2, network: null },
    ],
    title: { fr: 'Le départ, vu du bateau', en: 'The start, seen from the boat' },
    about: {
      fr: 'Nils Bergström explique les premiers coups.',
      en: 'Nils Bergström explains the first strokes.',
    },
    ...words(
      ['On attend le feu.', 'Trois coups courts.', 'Puis on allonge.'],
      ['We wait for the light.', 'Three short strokes.', 'Then we lengthen.'],
    ),
  },
  {
    slug: 'avant-la-finale',
    athlete: 'athlete4',
    seconds: 8,
    lock: [{ kind: 'medal', scope: 'hub', medal: 'silver' }],
    title: { fr: 'Avant la finale', en: 'Before the final' },
    about: { fr: 'Haruka Tanabe et sa dernière minute.', en: 'Haruka Tanabe and her last minute.' },
    ...words(
      ['Je respire.', 'Je pense à mon premier dojo.', 'J’y vais.'],
      ['I breathe.', 'I think of my first dojo.', 'I go.'],
    ),
  },
];

const HOUR = 3_600_000;
/** The demo's chats: one is live from the start, the others come in the next days. */
export const CHATS = (now: Date): (ChatRecord & { opening: string[] })[] => {
  const at = (hours: number): Date =>
    new Date(Math.ceil(now.getTime() / HOUR) * HOUR + hours * HOUR);
  return [
    {
      _id: 'maelle-repond',
      title: {
        fr: 'Maëlle Kervran répond à vos questions',
        en: 'Maëlle Kervran answers your questions',
      },
      about: {
        fr: 'En direct du village, avant la finale par équipes.',
        en: 'Live from the village, before the team final.',
      },
      host: 'athlete1',
      state: 'live',
      startsAt: new Date(now.getTime() - 600_000),
      endsAt: at(24 * 30),
      fromVillage: true,
      opening: [
        'Bonjour à tous, je suis au village. Posez-moi tout. / Hello everybody, I am ' +
          'in the village. Ask me anything.',
      ],
    },
    {
      _id: 'jonas-en-direct',
      title: { fr: 'Jonas Adeyemi, après le 1500 m', en: 'Jonas Adeyemi, after the 1500 m' },
      about: { fr: 'Para-athlétisme.', en: 'Para-athletics.' },
      host: 'athlete3',
      state: 'soon',
      startsAt: at(26),
      endsAt: at(27),
      fromVillage: true,
      opening: [],
    },
    {
      _id: 'nils-et-l-aviron',
      title: { fr: 'Nils Bergström et l’aviron', en: 'Nils Bergström on rowing' },
      about: { fr: 'Aviron.', en: 'Rowing.' },
      host: 'athlete5',
      state: 'soon',
      startsAt: at(50),
      endsAt: at(51),
      fromVillage: false,
      opening: [],
    },
  ];
};
