import { pino, type Logger } from 'pino';

/** Where a process logs. */
export type Log = Logger;

/** A log of JSON lines on stdout, from which tokens, cookies and codes are cut (ASVS 16.2.5). */
export function createLog(level: string, name: string): Log {
  return pino({
    name,
    level,
    base: { name, pid: process.pid },
    redact: {
      paths: [
        'req.headers',
        '*.accessToken',
        '*.refreshToken',
        '*.tokens',
        'accessToken',
        'refreshToken',
      ],
      censor: '[cut]',
    },
    serializers: {
      err: (error: unknown) =>
        error instanceof Error
          ? {
              type: error.name,
              message: cut(error.message),
              stack: cut(error.stack ?? ''),
              code: (error as { code?: unknown }).code,
            }
          : { message: cut(String(error)) },
    },
  });
}

/** Parameters of addresses that are secret. */
const SECRETS = [
  'access_token',
  'appsecret_proof',
  'refresh_token',
  'code',
  'client_secret',
  'code_verifier',
];
const SECRET_PARAMETER = new RegExp(`((?:${SECRETS.join('|')})=)[^&\\s"]+`, 'gi');

/** Cuts secrets out of a text, where networks put them into addresses and messages. */
export function cut(text: string): string {
  return text
    .replace(SECRET_PARAMETER, '$1[cut]')
    .replace(/Bearer\s+[\w.~+/-]+=*/gi, 'Bearer [cut]');
}
