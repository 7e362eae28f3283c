import type { Redis } from 'ioredis';
import { randomId } from '../platform/ids.js';
import type { RedisClients } from '../platform/redis.js';
import type { After } from './entry.js';
import type { FanStanding } from './needs.js';

/** One place on a board: absolute, never a difference. `points` null takes the fan off. */
export interface Move {
  fan: string;
  points: number | null;
  reachedAt: number;
  seq: number;
  standing: Pick<FanStanding, 'name' | 'country' | 'revision'>;
}
export interface BoardRow {
  rank: number;
  tied: boolean;
  fan: string;
  name: string;
  country: string;
  points: number;
}
export interface BoardPage {
  rows: BoardRow[];
  total: number;
  me: { rank: number; points: number; tied: boolean; above: number | null } | null;
  next: string | null;
}

const STEP = 2 ** 33;
/** How places and guards are written; boards of another form are counted anew. */
const FORM = 2;
/** Moves of one script: more would keep others waiting. */
const TOGETHER = 500;
const ORIGIN = Date.UTC(2020, 0, 1) / 1000;

/** Points first, then whoever was there first: exact in a double up to 2^20 points (LEDGER 3). */
export const boardScore = (points: number, reachedAt: number): number =>
  points * STEP + (STEP - 1 - Math.max(0, Math.floor(reachedAt / 1000) - ORIGIN));
export const boardPoints = (score: number): number => Math.floor(score / STEP);

/**
 * Moves of one board, guarded: a move older than what is there, in entries or in standing, is
 * refused and named. A guard is `seq:revision:country:name`, so that a page of a board needs no
 * other store.
 */
const MOVE = `
local meta = redis.call('HMGET', KEYS[1], 'gen', 'run', 'building')
local gens = {}
if ARGV[2] == 'build' then
  if meta[3] ~= ARGV[3] then return {'lost'} end
  gens[1] = meta[3]
else
  if meta[2] ~= ARGV[1] then return {'lost'} end
  if meta[1] then gens[#gens + 1] = meta[1] end
  if meta[3] then gens[#gens + 1] = meta[3] end
  if #gens == 0 then return {'lost'} end
end
local refused = {'ok'}
for i = 4, #ARGV, 5 do
  local fan, seq, rev = ARGV[i], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local older = false
  for _, gen in ipairs(gens) do
    local z, g = KEYS[1] .. ':z:' .. gen, KEYS[1] .. ':g:' .. gen
    local known = redis.call('HGET', g, fan)
    local kseq, krev = 0, 0
    if known then
      local s, r = string.match(known, '^(%d+):(%d+):')
      kseq, krev = tonumber(s), tonumber(r)
    end
    if kseq > seq or krev > rev then older = true
    else
      redis.call('HSET', g, fan, ARGV[i + 2] .. ':' .. ARGV[i + 3] .. ':' .. ARGV[i + 4])
      if ARGV[i + 1] == '' then redis.call('ZREM', z, fan) else redis.call('ZADD', z, ARGV[i + 1], fan) end
    end
  end
  if older then refused[#refused + 1] = fan end
end
return refused`;

/**
 * Opens a generation and frees, in the same step, what a rebuild that died left half made, and
 * places of another run of Redis: no keys are ever left that nothing names.
 */
const BEGIN = `
local meta = redis.call('HMGET', KEYS[1], 'gen', 'run', 'building')
local function free(gen) redis.call('UNLINK', KEYS[1] .. ':z:' .. gen, KEYS[1] .. ':g:' .. gen) end
if meta[3] then free(meta[3]) end
if meta[1] and meta[2] ~= ARGV[1] then
  redis.call('HDEL', KEYS[1], 'gen')
  free(meta[1])
end
redis.call('HSET', KEYS[1], 'building', ARGV[2], 'run', ARGV[1])`;

/**
 * Ends a generation that is being built: shows it and frees the one before (`show`), or frees it.
 */
const END = `
local meta = redis.call('HMGET', KEYS[1], 'gen', 'building')
if meta[2] ~= ARGV[1] then return 0 end
local old = meta[2]
if ARGV[2] == 'show' then
  redis.call('HSET', KEYS[1], 'gen', meta[2])
  old = meta[1]
end
redis.call('HDEL', KEYS[1], 'building')
if old then redis.call('UNLINK', KEYS[1] .. ':z:' .. old, KEYS[1] .. ':g:' .. old) end
return 1`;

/**
 * A page of a board: by place, behind a cursor, or around a fan; who is on it, and the fan's own
 * rank. One round trip.
 */
const PAGE = `
local meta = redis.call('HMGET', KEYS[1], 'gen', 'run')
if not meta[1] or meta[2] ~= ARGV[1] then return {'lost'} end
local z = KEYS[1] .. ':z:' .. meta[1]
local how, limit, step = ARGV[2], tonumber(ARGV[5]), tonumber(ARGV[6])
local from = 0
local function above(points) return redis.call('ZCOUNT', z, string.format('%.0f', (points + 1) * step), '+inf') end
if how == 'around' then
  local at = redis.call('ZREVRANK', z, ARGV[3])
  if at then from = math.max(0, at - math.floor(limit / 2)) end
elseif how == 'after' then
  local score = redis.call('ZSCORE', z, ARGV[3])
  if score and string.format('%.0f', score) == ARGV[4] then from = redis.call('ZREVRANK', z, ARGV[3]) + 1
  else from = redis.call('ZCOUNT', z, '(' .. ARGV[4], '+inf') end
else from = tonumber(ARGV[3]) end
local rows = redis.call('ZREVRANGE', z, from, from + limit - 1, 'WITHSCORES')
local fans = {}
for i = 1, #rows, 2 do fans[#fans + 1] = rows[i] end
local guards = #fans > 0 and redis.call('HMGET', KEYS[1] .. ':g:' .. meta[1], unpack(fans)) or {}
local first = 0
if #rows > 0 then first = above(math.floor(tonumber(rows[2]) / step)) + 1 end
local total = redis.call('ZCARD', z)
local prev = redis.call('ZREVRANGE', z, from + limit, from + limit, 'WITHSCORES')
local mine = ARGV[7] ~= '' and redis.call('ZSCORE', z, ARGV[7]) or false
local mrank, mnext, mtied = 0, '', 0
if mine then
  local points = math.floor(tonumber(mine) / step)
  local over = above(points)
  mrank = over + 1
  mtied = redis.call('ZCOUNT', z, string.format('%.0f', points * step), '(' .. string.format('%.0f', (points + 1) * step))
  if over > 0 then mnext = redis.call('ZREVRANGE', z, over - 1, over - 1, 'WITHSCORES')[2] end
end
return {'ok', from, first, total, rows, mine or '', mrank, mnext, mtied, prev[2] or '', guards}`;

type Scripted = Redis & {
  boardMove(key: string, ...args: (string | number)[]): Promise<string[]>;
  boardBegin(key: string, run: string, generation: string): Promise<unknown>;
  boardEnd(key: string, generation: string, how: 'show' | 'free'): Promise<number>;
  boardPage(key: string, ...args: (string | number)[]): Promise<unknown[]>;
};

/**
 * The sorted sets in Redis: a projection of the ledger that may be lost at any time and is rebuilt
 * from it.
 */
export class Boards {
  private readonly redis: Scripted;

  constructor(private readonly clients: RedisClients) {
    clients.commands.defineCommand('boardMove', { numberOfKeys: 1, lua: MOVE });
    clients.commands.defineCommand('boardBegin', { numberOfKeys: 1, lua: BEGIN });
    clients.commands.defineCommand('boardEnd', { numberOfKeys: 1, lua: END });
    clients.commands.defineCommand('boardPage', { numberOfKeys: 1, lua: PAGE });
    this.redis = clients.commands as Scripted;
  }

  /** What a board is written under: this run of Redis, and our form of it. */
  private async mark(): Promise<string> {
    return `${await this.clients.runId()}/${FORM}`;
  }

  /** All keys of a board share a hash tag, so a cluster keeps them together. */
  private key(board: string): string {
    return `${this.clients.prefix}{board:${board}}`;
  }

  /**
   * Sets places. Answers the fans whose move was older than what is there (to be read anew), or
   * null when the board is lost and waits to be rebuilt.
   */
  async move(
    board: string,
    moves: Move[],
    building: string | null = null,
  ): Promise<string[] | null> {
    const run = await this.mark();
    const parts = Array.from({ length: Math.ceil(moves.length / TOGETHER) }, (_x, at) =>
      moves.slice(at * TOGETHER, (at + 1) * TOGETHER),
    );
    const answers = await Promise.all(
      parts.map((part) => {
        const rows = part.flatMap((one) => [
          one.fan,
          one.points === null || one.points <= 0
            ? ''
            : String(boardScore(one.points, one.reachedAt)),
          one.seq,
          one.standing.revision,
          `${one.standing.country}:${one.standing.name}`,
        ]);
        return this.redis.boardMove(
          this.key(board),
          run,
          building ? 'build' : 'live',
          building ?? '',
          ...rows,
        );
      }),
    );
    return answers.some(([state]) => state !== 'ok')
      ? null
      : answers.flatMap(([, ...older]) => older);
  }

  /**
   * Which of these boards Redis has lost, or holds from an earlier run of itself; and the
   * generations that are being built.
   */
  async look(
    boards: string[],
  ): Promise<{ lost: string[]; building: { board: string; generation: string }[] }> {
    const run = await this.mark();
    const found = await Promise.all(
      boards.map((board) => this.redis.hmget(this.key(board), 'gen', 'run', 'building')),
    );
    return {
      lost: boards.filter((_board, at) => !found[at]?.[0] || found[at][1] !== run),
      building: boards.flatMap((board, at) =>
        found[at]?.[2] ? [{ board, generation: found[at][2] }] : [],
      ),
    };
  }

  /**
   * Opens a new generation; moves go to it from now on, beside the old one if that is still of this
   * run.
   */
  async begin(board: string): Promise<string> {
    const generation = randomId();
    await this.redis.boardBegin(this.key(board), await this.mark(), generation);
    return generation;
  }

  /**
   * Shows the new generation, in one step, and frees the old one. Answers false when another
   * rebuild has begun meanwhile.
   */
  async finish(board: string, generation: string): Promise<boolean> {
    return (await this.redis.boardEnd(this.key(board), generation, 'show')) === 1;
  }

  /** Frees a generation that nobody builds any more. */
  async abandon(board: string, generation: string): Promise<void> {
    await this.redis.boardEnd(this.key(board), generation, 'free');
  }

  /** A page, or null while the board is being counted. Throws when Redis is away. */
  async page(
    board: string,
    ask: {
      limit: number;
      offset?: number;
      around?: string;
      cursor?: { fan: string; score: string };
      me?: string;
    },
  ): Promise<BoardPage | null> {
    const how =
      ask.around !== undefined
        ? ['around', ask.around, '']
        : ask.cursor
          ? ['after', ask.cursor.fan, ask.cursor.score]
          : ['from', String(ask.offset ?? 0), ''];
    const answer = await this.redis.boardPage(
      this.key(board),
      await this.mark(),
      how[0] as string,
      how[1] as string,
      how[2] as string,
      ask.limit,
      STEP,
      ask.me ?? '',
    );
    if (answer[0] === 'lost') return null;
    const [, from, first, total, flat, mine, rank, ahead, tied, nextScore, guards] = answer as [
      string,
      number,
      number,
      number,
      string[],
      string,
      number,
      string,
      number,
      string,
      (string | null)[],
    ];
    const rows: BoardRow[] = [];
    for (let at = 0; at < flat.length; at += 2) {
      const points = boardPoints(Number(flat[at + 1]));
      const before = rows.at(-1);
      const rank = !before ? first : before.points === points ? before.rank : from + at / 2 + 1;
      rows.push({ rank, tied: false, fan: flat[at] as string, ...shownBy(guards[at / 2]), points });
    }
    const following = nextScore === '' ? null : boardPoints(Number(nextScore));
    rows.forEach((row, at) => {
      const around = [
        rows[at - 1]?.points,
        rows[at + 1]?.points,
        ...(at === rows.length - 1 ? [following] : []),
      ];
      row.tied = around.includes(row.points) || (at === 0 && row.rank <= from);
    });
    const last =
      flat.length > 0 && nextScore !== ''
        ? Buffer.from(JSON.stringify([flat.at(-2), Number(flat.at(-1)).toFixed(0)])).toString(
            'base64url',
          )
        : null;
    const myPoints = mine === '' ? 0 : boardPoints(Number(mine));
    return {
      rows,
      total,
      next: last,
      me:
        mine === ''
          ? null
          : {
              rank,
              points: myPoints,
              tied: tied > 1,
              above: ahead === '' ? null : boardPoints(Number(ahead)),
            },
    };
  }
}

/** How a fan is shown, out of the guard. */
function shownBy(guard: string | null | undefined): { name: string; country: string } {
  const [, , country = '', ...name] = (guard ?? '').split(':');
  return { name: name.join(':'), country };
}

/** Reads a cursor of ours; null when it is none. */
export function readBoardCursor(text: string): { fan: string; score: string } | null {
  try {
    const parsed = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown;
    if (
      !Array.isArray(parsed) ||
      typeof parsed[0] !== 'string' ||
      typeof parsed[1] !== 'string' ||
      !/^\d{1,17}$/.test(parsed[1])
    )
      return null;
    return { fan: parsed[0], score: parsed[1] };
  } catch {
    return null;
  }
}

/** The places a standing means: the hub's board and one a discipline. */
export function placesOf(
  after: Pick<After, 'points' | 'reachedAt' | 'disciplines'>,
): { board: string; points: number; reachedAt: number }[] {
  return [
    { board: 'hub', points: after.points, reachedAt: after.reachedAt },
    ...Object.entries(after.disciplines).map(([slug, [points, reachedAt]]) => ({
      board: `discipline:${slug}`,
      points,
      reachedAt,
    })),
  ];
}
