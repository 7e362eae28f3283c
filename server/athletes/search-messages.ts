import type { SearchAnswer, SearchQuery } from './search-document.js';

/** What the search thread is started with. */
export interface SearchSetup {
  /** The store of the directory. */
  uri: string;
  name: string;
  /** Where the index is kept in a file. */
  folder: string;
}

/** What the search thread is asked. Each request but `close` is answered once, under its id. */
export type SearchRequest = { id: number } & (
  | { kind: 'search'; query: SearchQuery }
  /** Read now what has changed in the store. */
  | { kind: 'look' }
  /** End, and let go of the store. */
  | { kind: 'close' }
);

/** What the search thread says by itself, as it goes on. */
export type SearchNews =
  /** The index was read from its file. */
  | { kind: 'loaded'; revision: number; size: number }
  /** Changes were read from the store, as it was `tookMs` ago. */
  | { kind: 'looked'; tookMs: number; revision: number; size: number }
  /** The store could not be read, so often in a row. */
  | { kind: 'failed'; failures: number };

/** The answer to a request. */
export type SearchReply = { kind: 'reply'; id: number } & (
  { answer: SearchAnswer | null } | { error: string }
);
