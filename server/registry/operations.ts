import { z } from 'zod';
import type { Operations } from '../platform/openapi.js';
import {
  CaseAnswer,
  CasesAnswer,
  Decide,
  LookupAnswer,
  LookupQuery,
  Owner,
  Queue,
  Revoke,
  Submit,
} from './schema.js';

const CasePath = z.object({ id: z.string() });

/** What the API says of the registry. */
export const registryOperations: Operations = {
  '/registry/lookup': {
    get: { summary: 'Whose account is this?', query: LookupQuery, answer: LookupAnswer },
  },
  '/registry/cases': {
    get: { summary: 'The moderators\u2019 queue', query: Queue, answer: CasesAnswer },
    post: {
      summary: 'Open a case',
      body: Submit.omit({ csrf: true }),
      answer: CaseAnswer,
      status: 201,
    },
  },
  '/registry/cases/{id}/decision': {
    post: {
      summary: 'Grant or refuse',
      path: CasePath,
      body: Decide.omit({ csrf: true }),
      answer: CaseAnswer,
    },
  },
  '/registry/cases/{id}/revocation': {
    post: {
      summary: 'Revoke',
      path: CasePath,
      body: Revoke.omit({ csrf: true }),
      answer: CaseAnswer,
    },
  },
  '/registry/cases/{id}/owners': {
    post: {
      summary: 'Record that a fan owns an account, or does not',
      path: CasePath,
      body: Owner.omit({ csrf: true }),
      answer: CaseAnswer,
    },
  },
};
