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

-- The generations that the moves go to: that which is being built, or all that are live.
local function generations()
  local meta = redis.call('HMGET', board, 'gen', 'run', 'building')
  local shown, run, built = meta[1], meta[2], meta[3]
  local found = {}
  local function add(generation)
    local keys = {places = board .. ':z:' .. generation, guards = board .. ':g:' .. generation}
    found[#found + 1] = keys
  end
  if building ~= '' then
    if built == building then add(built) end
  elseif run == mark then
    if shown then add(shown) end
    if built then add(built) end
  end
  return found
end

-- Whether a fan's guard is of a later entry, or of a later standing.
local function is_newer(guard, seq, revision)
  if not guard then return false end
  local known_seq, known_revision = string.match(guard, '^(%d+):(%d+):')
  return tonumber(known_seq) > seq or tonumber(known_revision) > revision
end

local targets = generations()
if #targets == 0 then return cjson.encode({state = 'lost'}) end

local older = {}
for i = FIRST, #ARGV, FIELDS do
  local fan, score = ARGV[i], ARGV[i + 1]
  local seq, revision = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local guard = ARGV[i + 2] .. ':' .. ARGV[i + 3] .. ':' .. ARGV[i + 4]
  local refused = false
  for _, target in ipairs(targets) do
    if is_newer(redis.call('HGET', target.guards, fan), seq, revision) then
      refused = true
    else
      redis.call('HSET', target.guards, fan, guard)
      if score == '' then
        redis.call('ZREM', target.places, fan)
      else
        redis.call('ZADD', target.places, score, fan)
      end
    end
  end
  if refused then older[#older + 1] = fan end
end
return cjson.encode({state = 'ok', older = #older > 0 and older or nil})
