import http from 'node:http';

/** One request of a load. */
export interface Shot {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}
/** What a load came to; times in ms. */
export interface Figures {
  count: number;
  failed: number;
  seconds: number;
  perSecond: number;
  p50: number;
  p99: number;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

function fire(base: URL, shot: Shot): Promise<{ status: number; ms: number }> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: base.hostname,
        port: base.port,
        agent,
        method: shot.method ?? 'GET',
        path: shot.path,
        headers: {
          ...shot.headers,
          ...(shot.body ? { 'content-length': Buffer.byteLength(shot.body) } : {}),
        },
      },
      (response) => {
        response.resume();
        response.once('end', () => {
          resolve({ status: response.statusCode ?? 0, ms: performance.now() - begun });
        });
      },
    );
    request.once('error', reject);
    request.end(shot.body);
  });
}

/** Sums up the times of answers. */
export function figures(times: number[], failed: number, seconds: number): Figures {
  const sorted = Float64Array.from(times).sort();
  const percentile = (share: number): number =>
    Math.round(
      (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 100,
    ) / 100;
  return {
    count: times.length,
    failed,
    seconds: Math.round(seconds * 100) / 100,
    perSecond: Math.round(times.length / seconds),
    p50: percentile(0.5),
    p99: percentile(0.99),
  };
}

/** Sends as many as it can take: `width` at a time, until there are no more or time is over. */
export async function closed(
  url: string,
  width: number,
  next: () => Shot | null,
  most = Infinity,
): Promise<Figures> {
  const base = new URL(url);
  const times: number[] = [];
  let failed = 0;
  const begun = performance.now();
  const runner = async (): Promise<void> => {
    while (performance.now() - begun < most * 1000) {
      const shot = next();
      if (!shot) return;
      const answer = await fire(base, shot).catch(() => null);
      if (answer && answer.status < 400) times.push(answer.ms);
      else failed += 1;
    }
  };
  await Promise.all(Array.from({ length: width }, runner));
  return figures(times, failed, (performance.now() - begun) / 1000);
}

/** Sends at a steady rate, whatever the server does: what users feel. */
export async function open(
  url: string,
  perSecond: number,
  seconds: number,
  next: () => Shot | null,
): Promise<Figures> {
  const base = new URL(url);
  const times: number[] = [];
  let failed = 0;
  const flying: Promise<void>[] = [];
  const begun = performance.now();
  for (let sent = 0; sent < perSecond * seconds;) {
    const due = Math.min(
      perSecond * seconds,
      Math.floor(((performance.now() - begun) / 1000) * perSecond),
    );
    for (; sent < due; sent += 1) {
      const shot = next();
      if (!shot) {
        sent = perSecond * seconds;
        break;
      }
      flying.push(
        fire(base, shot).then(
          (answer) => {
            if (answer.status < 400) times.push(answer.ms);
            else failed += 1;
          },
          () => {
            failed += 1;
          },
        ),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await Promise.all(flying);
  return figures(times, failed, (performance.now() - begun) / 1000);
}
