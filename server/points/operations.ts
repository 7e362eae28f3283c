import { z } from 'zod';
import type { Operations } from '../platform/openapi.js';
import {
  BoardAnswer,
  BoardQuery,
  MedalsAnswer,
  StatementAnswer,
  StatementQuery,
} from './schema.js';

/** What the API says of a fan's statement and medals, and of boards. */
export const pointsOperations: Operations = {
  '/me/ledger': {
    get: { summary: 'My statement, newest first', query: StatementQuery, answer: StatementAnswer },
  },
  '/me/medals': { get: { summary: 'My medals', answer: MedalsAnswer } },
  '/boards/{board}': {
    get: {
      summary: 'A board of fans',
      path: z.object({ board: z.string() }),
      query: BoardQuery,
      answer: BoardAnswer,
    },
  },
};
