import { pino, type Logger } from 'pino';

export type Log = Logger;

/**
 * JSON lines on stdout; tokens, cookies and codes are cut out before they are written (ASVS
 * 16.2.5).
 */
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

/** Cuts secrets that networks put into addresses and messages. */
export function cut(text: string): string {
  return text
    .replace(
      /((?:access_token|appsecret_proof|refresh_token|code|client_secret|code_verifier)=)[^&\s"]+/gi,
      '$1[cut]',
    )
    .replace(/Bearer\s+[\w.~+/-]+=*/gi, 'Bearer [cut]');
}
