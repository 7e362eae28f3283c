import { defineScript, loadScript, type Script } from '../platform/lua.js';
import type { Redis } from '../platform/redis.js';

/** What `board-page.lua` answers of a board that is not lost. Scores are texts. */
export interface PageReply {
  state: 'ok';
  total: number;
  from: number;
  rank: number;
  rows?: { fan: string; score: string; guard?: string }[];
  following?: string;
  reader?: { score: string; rank: number; tied: number; above?: string };
}
/** The board is not there, or is of another run of Redis. */
interface Lost {
  state: 'lost';
}

/** The scripts that boards are made of, as the files say what they take and answer. */
export interface BoardScripts {
  move: Script<Lost | { state: 'ok'; older?: string[] }>;
  begin: Script<{ building: string }>;
  end: Script<{ ended: boolean }>;
  page: Script<Lost | PageReply>;
}

/** Makes the scripts known to this client. */
export function boardScripts(client: Redis): BoardScripts {
  const define = <Reply>(name: string, file: string): Script<Reply> =>
    defineScript(client, name, loadScript(new URL(`./lua/${file}.lua`, import.meta.url)));
  return {
    move: define('boardMove', 'board-move'),
    begin: define('boardBegin', 'board-begin'),
    end: define('boardEnd', 'board-end'),
    page: define('boardPage', 'board-page'),
  };
}
