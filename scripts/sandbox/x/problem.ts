import type { Request, Response } from 'express';

/** Answers with an error of X, in the shape of RFC 7807 (NETWORKS 4.1). */
export const problem = (res: Response, status: number, title: string, detail = title): void => {
  res
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ title, detail, type: 'about:blank', status }));
};

/** Whether a request may pass; where not, it has been answered. */
export type Guard = (req: Request, res: Response) => boolean;
