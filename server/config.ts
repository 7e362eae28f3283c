import { z } from 'zod';

const url = z.url().transform((text) => text.replace(/\/$/, ''));
const TEMPLATE = /change.?me|example|secret-?here|default|password|insecure/i;

/** A port; 0 takes any free one. */
export const Port = z
  .string()
  .refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535, {
    error: ({ input }) => `"${String(input)}" is no port (a whole number from 0 to 65535)`,
  })
  .transform(Number);

const Environment = z.object({
  NODE_ENV: z.enum(['production', 'development', 'test']).default('development'),
  PORT: Port.default(3000),
  PUBLIC_URL: url.optional(),
  DATA_DIR: z.string().min(1).default('.data'),
  MONGODB_URI: z.string().min(1).default('mongodb://127.0.0.1:27017/?directConnection=true'),
  MONGODB_NAME: z.string().min(1).default('village'),
  REDIS_URL: z.string().min(1).default('redis://127.0.0.1:6379'),
  REDIS_PREFIX: z.string().default('village:'),
  SESSION_SECRET: z.string().min(1),
  TOKEN_KEYS: z.string().min(1),
  SIGNING_KEY: z.string().min(1),
  METRICS_TOKEN: z.string().min(1).optional(),
  TRUST_PROXY: z.string().default(''),
  TIMEZONE: z
    .string()
    .default('Europe/Paris')
    .refine((name) => {
      try {
        new Intl.DateTimeFormat('en', { timeZone: name });
        return true;
      } catch {
        return false;
      }
    }, 'is no time zone'),
  LOG_LEVEL: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug']).default('info'),
  X_CLIENT_ID: z.string().default(''),
  X_CLIENT_SECRET: z.string().default(''),
  X_API_KEY: z.string().default(''),
  X_API_SECRET: z.string().default(''),
  X_ORIGIN_PAGES: url.default('https://x.com'),
  X_ORIGIN_API: url.default('https://api.x.com'),
  FACEBOOK_APP_ID: z.string().default(''),
  FACEBOOK_APP_SECRET: z.string().default(''),
  FACEBOOK_ORIGIN_PAGES: url.default('https://www.facebook.com'),
  FACEBOOK_ORIGIN_GRAPH: url.default('https://graph.facebook.com'),
  FACEBOOK_API_VERSION: z
    .string()
    .regex(/^v\d+\.\d+$/)
    .default('v24.0'),
  MAIL_URL: z.string().default(''),
});

/**
 * A network's keys and addresses; the only thing in which live and sandbox differ (NETWORKS 0.2).
 */
export interface NetworkSettings {
  clientId: string;
  clientSecret: string;
  pages: string;
  api: string;
  version: string;
  /**
   * The app's own key pair, where a network parts it from the login's (X); else the login's serves.
   */
  appKey?: string;
  appSecret?: string;
}

/** The settings of a process, checked. */
export interface Config {
  production: boolean;
  env: 'production' | 'development' | 'test';
  port: number;
  publicUrl: string;
  dataDir: string;
  mongodb: { uri: string; name: string };
  redis: { url: string; prefix: string };
  sessionSecret: string;
  /** The first encrypts, all decrypt. */
  tokenKeys: { id: string; key: Buffer }[];
  /** Ed25519 seed, 32 bytes. */
  signingKey: Buffer;
  metricsToken: string | null;
  trustProxy: number | string[] | false;
  timezone: string;
  logLevel: string;
  networks: { x: NetworkSettings; facebook: NetworkSettings };
  mailUrl: string;
}

/** Wrong settings, or stores that do not fit them: `problems` name each one and what to do. */
export class ConfigError extends Error {
  constructor(readonly problems: string[]) {
    super(`settings: ${problems.join('; ')}`);
  }
}

const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
const weak = (text: string): boolean =>
  text.length < 32 || TEMPLATE.test(text) || new Set(text).size < 10;
const loopback = (host: string): boolean =>
  /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)(:\d+)?$/.test(host);

function productionProblems(raw: NodeJS.ProcessEnv): string[] {
  const problems: string[] = [];
  const { MONGODB_URI: mongodbUri = '', REDIS_URL: redisUrl = '' } = raw;
  for (const name of ['PUBLIC_URL', 'MONGODB_URI', 'REDIS_URL', 'METRICS_TOKEN'] as const)
    if (!raw[name]) problems.push(`${name} is missing`);
  for (const name of ['SESSION_SECRET', 'METRICS_TOKEN'] as const) {
    if (raw[name] && weak(raw[name]))
      problems.push(`${name} is weak (32 random characters or more)`);
  }
  if (raw['PUBLIC_URL'] && !raw['PUBLIC_URL'].startsWith('https://'))
    problems.push('PUBLIC_URL must be https');
  // ASVS 12.3.1: no plain traffic to a store on another host.
  const mongo = /^mongodb:\/\/(?:[^@/]*@)?([^/?]+)/.exec(mongodbUri);
  if (mongo?.[1] && !/[?&](tls|ssl)=true/.test(mongodbUri) && !mongo[1].split(',').every(loopback))
    problems.push('MONGODB_URI is not encrypted (mongodb+srv:// or tls=true)');
  if (/[?&]tls(AllowInvalid|Insecure)/i.test(mongodbUri))
    problems.push('MONGODB_URI switches certificate checks off');
  const redis = /^redis:\/\/(?:[^@/]*@)?([^/?]+)/.exec(redisUrl);
  if (redis?.[1] && !loopback(redis[1])) problems.push('REDIS_URL is not encrypted (rediss://)');
  if (raw['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
    problems.push('NODE_TLS_REJECT_UNAUTHORIZED switches certificate checks off');
  return problems;
}

/**
 * Reads the settings of DESIGN 7. Throws a ConfigError that names every setting which is missing,
 * malformed or (in production) weak.
 */
export function readConfig(raw: NodeJS.ProcessEnv): Config {
  // An empty setting counts as absent; but an empty PORT is a slip, and would open the hub where
  // nobody looks for it.
  const given = Object.fromEntries(
    Object.entries(raw).filter(([name, value]) => value !== '' || name === 'PORT'),
  );
  const parsed = Environment.safeParse(given);
  const problems = parsed.success
    ? []
    : parsed.error.issues.map((issue) => {
        const name = String(issue.path[0]);
        return given[name] === undefined ? `${name} is missing` : `${name}: ${issue.message}`;
      });
  const keys = (raw['TOKEN_KEYS'] ?? '')
    .split(',')
    .filter(Boolean)
    .map((pair) => {
      const [id = '', key = ''] = pair.split(':');
      return { id, key: bytes(key) };
    });
  if (
    raw['TOKEN_KEYS'] &&
    (keys.length === 0 ||
      keys.some(({ id, key }) => !/^[a-z0-9]{1,16}$/.test(id) || key.length !== 32))
  ) {
    problems.push(
      'TOKEN_KEYS is malformed or weak (id:base64 of 32 random bytes, comma between, newest first)',
    );
  }
  const signingKey = bytes(raw['SIGNING_KEY'] ?? '');
  if (raw['SIGNING_KEY'] && signingKey.length !== 32)
    problems.push('SIGNING_KEY is malformed or weak (base64 of 32 random bytes)');
  if (raw['NODE_ENV'] === 'production') problems.push(...productionProblems(raw));
  if (!parsed.success || problems.length > 0) throw new ConfigError([...new Set(problems)]);
  const env = parsed.data;
  const proxy = env.TRUST_PROXY;
  return {
    production: env.NODE_ENV === 'production',
    env: env.NODE_ENV,
    port: env.PORT,
    publicUrl: env.PUBLIC_URL ?? `http://127.0.0.1:${env.PORT}`,
    dataDir: env.DATA_DIR,
    mongodb: { uri: env.MONGODB_URI, name: env.MONGODB_NAME },
    redis: { url: env.REDIS_URL, prefix: env.REDIS_PREFIX },
    sessionSecret: env.SESSION_SECRET,
    tokenKeys: keys,
    signingKey,
    metricsToken: env.METRICS_TOKEN ?? null,
    // Never `true`: any client could then forge the address that limits count by (ASVS 4.1.3).
    trustProxy:
      proxy === ''
        ? false
        : /^\d+$/.test(proxy)
          ? Number(proxy)
          : proxy.split(',').map((part) => part.trim()),
    timezone: env.TIMEZONE,
    logLevel: env.LOG_LEVEL,
    networks: {
      x: {
        clientId: env.X_CLIENT_ID,
        clientSecret: env.X_CLIENT_SECRET,
        appKey: env.X_API_KEY || env.X_CLIENT_ID,
        appSecret: env.X_API_SECRET || env.X_CLIENT_SECRET,
        pages: env.X_ORIGIN_PAGES,
        api: env.X_ORIGIN_API,
        version: '2',
      },
      facebook: {
        clientId: env.FACEBOOK_APP_ID,
        clientSecret: env.FACEBOOK_APP_SECRET,
        pages: env.FACEBOOK_ORIGIN_PAGES,
        api: env.FACEBOOK_ORIGIN_GRAPH,
        version: env.FACEBOOK_API_VERSION,
      },
    },
    mailUrl: env.MAIL_URL,
  };
}
