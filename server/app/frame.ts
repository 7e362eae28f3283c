import type { Request } from 'express';
import type { Context } from '../context.js';
import { NETWORKS } from '../networks/network.js';
import { SwrCache } from '../platform/swr-cache.js';
import type { FormTokens } from '../platform/guard.js';
import type { PageFacts } from '../platform/http.js';
import { LANGUAGES, type Language } from '../platform/i18n.js';
import type { Frame } from '../platform/views.js';
import { may } from '../platform/rights.js';

/** The few words that the browser modules of a signed-in fan's page say by themselves. */
function clientWords(words: Context['words'], lang: Language): Record<string, unknown> {
  const t = (key: string, params: Record<string, unknown> = {}): string =>
    words.t(lang, key, params);
  const each = (key: string): Record<string, string> =>
    Object.fromEntries(NETWORKS.map((network) => [network, t(`${key}.${network}`)]));
  const named = (key: string): Record<string, string> =>
    Object.fromEntries(
      NETWORKS.map((network) => [network, t(key, { network: t(`networks.${network}`) })]),
    );
  return {
    lang,
    awarded: '+1.',
    unlocked: `${t('videos.open')} :`,
    asking: each('networks.asking'),
    no: each('follows.notice.no'),
    unknown: named('follows.notice.unknown'),
    waits: t('follows.notice.waits'),
    failed: t('follows.failed'),
    points: `# ${t('frame.points_other')}.`,
    progress: t('follows.progress', { done: '#1', total: '#2', awarded: '#3' }),
  };
}

/**
 * The addresses of a page: whole, of a query only the number of the page, no slash behind the home
 * pages. Search engines want each language to name itself, the other, and one for all the rest: for
 * home the address that chooses, else the French page, as for a browser that prefers neither.
 */
function addresses(
  publicUrl: string,
  rest: string,
  lang: Language,
): Pick<Frame, 'canonical' | 'alternates'> {
  const [path = '', query = ''] = rest.split('?', 2);
  const page = /(?:^|&)page=([1-9]\d{0,5})(?:&|$)/.exec(query)?.[1] ?? '1';
  const same = `${path.replace(/\/+$/, '')}${page === '1' ? '' : `?page=${page}`}`;
  const alternates = LANGUAGES.map((language) => ({
    lang: language,
    href: `${publicUrl}/${language}${same}`,
  }));
  return {
    canonical: `${publicUrl}/${lang}${same}`,
    alternates: [
      ...alternates,
      { lang: 'x-default', href: same === '' ? `${publicUrl}/` : `${publicUrl}/fr${same}` },
    ],
  };
}

/** How long it is remembered whether this hub is a demo. */
const DEMO_MS = 30_000;

/** The theme that a browser chose, from its cookie. */
const themeOf = (req: Request): string =>
  /(?:^|;\s*)village-theme=(light|dark|contrast)/.exec(req.get('cookie') ?? '')?.[1] ?? 'auto';

/** Makes what stands around every page: language, reader with points, form token. */
export function frames(
  context: Context,
  forms: FormTokens,
): (req: Request, facts: PageFacts) => Promise<Frame> {
  const { points, settings, config, words, follows } = context;
  const client = { fr: clientWords(words, 'fr'), en: clientWords(words, 'en') };
  const demoCache = new SwrCache<boolean>(DEMO_MS);
  const isDemo = (): Promise<boolean> =>
    demoCache
      .get('demo', async () => (await settings.get<boolean>('demo')) ?? false)
      .catch(() => false);

  const readerOf = async (
    { reader }: Request,
    standing: PageFacts['standing'],
  ): Promise<Frame['reader']> => {
    if (!reader) return null;
    const held = standing ?? (await points.head(reader.id).catch(() => null))?.after;
    const organiser = may(reader.roles, 'organise');
    return {
      id: reader.id,
      name: reader.name,
      points: held?.points ?? 0,
      medal: held?.medals['hub']?.[0] ?? null,
      moderator: may(reader.roles, 'moderate'),
      organiser,
      stopped: organiser ? await follows.takeBacks.countStopped().catch(() => 0) : 0,
    };
  };

  return async (req, facts) => {
    const { lang } = req;
    const other = lang === 'fr' ? 'en' : 'fr';
    const rest = req.originalUrl.replace(/^\/(fr|en)(?=\/|\?|$)/, '');
    const robots = facts.robots ?? true;
    const reader = await readerOf(req, facts.standing);
    let csrf: string | null = null;
    return {
      lang,
      other,
      path: req.originalUrl,
      otherPath: rest === req.originalUrl ? `/${other}` : `/${other}${rest}`,
      nonce: (req.res?.locals['nonce'] ?? '') as string,
      theme: themeOf(req),
      demo: await isDemo(),
      reader,
      get csrf() {
        return (csrf ??= forms.make(req));
      },
      title: facts.title,
      section: facts.section ?? '',
      script: facts.script ?? null,
      ...(robots ? addresses(config.publicUrl, rest, lang) : { canonical: null, alternates: [] }),
      robots,
      wide: facts.wide ?? false,
      client: reader ? client[lang] : null,
    };
  };
}

/** What stands around a page, made without asking a store. */
export const bareFrame = (lang: Language, path: string, title: string, nonce: string): Frame => ({
  lang,
  other: lang === 'fr' ? 'en' : 'fr',
  path,
  otherPath: '/',
  nonce,
  theme: 'auto',
  demo: false,
  reader: null,
  csrf: '',
  title,
  section: '',
  script: null,
  canonical: null,
  alternates: [],
  robots: false,
  wide: false,
  client: null,
});
