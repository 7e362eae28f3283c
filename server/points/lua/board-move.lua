-- Sets places on one board, each guarded: a move that is older than what is there, in entries or in
-- standing, is refused and named. A guard is `seq:revision:country:name`, so that a page of a board
-- needs no other store.
--
-- KEYS  the board
-- ARGV  mark of this run of Redis, the generation that is being built or '', then for each move:
--       fan, score ('' takes the fan off), seq, revision of the standing, `country:name`
-- Reply {state = 'ok' or 'lost', older = the fans that were refused, absent when there are none}

local board, mark, building = KEYS[1], ARGV[1], ARGV[2]
local FIRST, FIELDS = 3, 5

local function generations()
  local meta = redis.call('HMGET', board, 'gen', 'run', 'building')
  local shown, run, built = meta[1], meta[2], meta[3]
  if building ~= '' then
    return built == building and {built} or {}
  end
  local live = {}
  if run == mark then
    if shown then live[#live + 1] = shown end
    if built then live[#live + 1] = built end
  end
  return live
end

local function place(generation, fan, score, seq, revision, shown_as)
  local guards = board .. ':g:' .. generation
  local known_seq, known_revision = 0, 0
  local known = redis.call('HGET', guards, fan)
  if known then
    local s, r = string.match(known, '^(%d+):(%d+):')
    known_seq, known_revision = tonumber(s), tonumber(r)
  end
  if known_seq > tonumber(seq) or known_revision > tonumber(revision) then return false end
  redis.call('HSET', guards, fan, seq .. ':' .. revision .. ':' .. shown_as)
  local places = board .. ':z:' .. generation
  if score == '' then
    redis.call('ZREM', places, fan)
  else
    redis.call('ZADD', places, score, fan)
  end
  return true
end

local live = generations()
if #live == 0 then return cjson.encode({state = 'lost'}) end

local older = {}
for i = FIRST, #ARGV, FIELDS do
  local refused = false
  for _, generation in ipairs(live) do
    if not place(generation, ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]) then
      refused = true
    end
  end
  if refused then older[#older + 1] = ARGV[i] end
end
return cjson.encode({state = 'ok', older = #older > 0 and older or nil})
