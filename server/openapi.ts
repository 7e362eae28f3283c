import { athletesOperations } from './athletes/operations.js';
import { followsOperations } from './follows/operations.js';
import { pagesOperations } from './pages/operations.js';
import type { ApiDoors } from './platform/doors.js';
import { describeApi } from './platform/openapi.js';
import { pointsOperations } from './points/operations.js';
import { registryOperations } from './registry/operations.js';
import { videosOperations } from './videos/operations.js';
import { chatsOperations } from './village/operations.js';

/** What every room says of its doors: a line a room. */
export const OPERATIONS = [
  athletesOperations,
  pagesOperations,
  followsOperations,
  registryOperations,
  pointsOperations,
  videosOperations,
  chatsOperations,
];

/** Serves `GET /api/v1/openapi.json`. Made after all other doors, so that it knows their rules. */
export function openApi(doors: ApiDoors, publicUrl: string): void {
  const document = describeApi(doors, publicUrl, OPERATIONS);
  doors.get('/openapi.json', { who: 'anyone', scope: 'none' }, (_req, res) => {
    res.type('json').send(document);
  });
}
