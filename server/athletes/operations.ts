import type { Operations } from '../platform/openapi.js';
import { ApiSearch, AthletesAnswer } from './schema.js';

/** What the API says of the directory. */
export const athletesOperations: Operations = {
  '/athletes': {
    get: { summary: 'Search the directory', query: ApiSearch, answer: AthletesAnswer },
  },
};
