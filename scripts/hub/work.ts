import type { Context } from '../../server/context.js';

/** What a command does at the hub; answers the exit code. */
export type Work = (context: Context) => Promise<number>;
