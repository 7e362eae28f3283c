import type { Response } from 'express';

/** RFC 7807 shape of X's errors (NETWORKS 4.1). */
export const problem = (res: Response, status: number, title: string, detail = title): void => {
  res
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ title, detail, type: 'about:blank', status }));
};
