-- A page of a board: from a place, behind a cursor, or around a fan; who is on it, and the reader's
-- own rank.
--
-- KEYS  the board
-- ARGV  mark of this run of Redis; what is asked as JSON: {limit, step, offset?, around? = a fan,
--       behind? = {fan, score}, reader? = a fan}; a score is `points * step` and less than a step
-- Reply {state = 'lost'}, or {state = 'ok', total, from = the place before the first row,
--       rank = that of the first row, rows = [{fan, score, guard}], absent when there are none,
--       following = the score behind the last row, reader = {score, rank, tied = how many have
--       as many points, above = the score of the next one above}}; scores are texts

local board, mark, ask = KEYS[1], ARGV[1], cjson.decode(ARGV[2])

local meta = redis.call('HMGET', board, 'gen', 'run')
local generation, run = meta[1], meta[2]
if not generation or run ~= mark then return cjson.encode({state = 'lost'}) end
local places, guards = board .. ':z:' .. generation, board .. ':g:' .. generation

local function points_of(score)
  return math.floor(tonumber(score) / ask.step)
end

-- The least score that so many points have.
local function least(points)
  return string.format('%.0f', points * ask.step)
end

-- How many have more points.
local function above(points)
  return redis.call('ZCOUNT', places, least(points + 1), '+inf')
end

local function score_at(place)
  return redis.call('ZREVRANGE', places, place, place, 'WITHSCORES')[2]
end

-- How many places come before the page.
local function before()
  if ask.around then
    local place = redis.call('ZREVRANK', places, ask.around)
    return place and math.max(0, place - math.floor(ask.limit / 2)) or 0
  end
  if ask.behind then
    local score = redis.call('ZSCORE', places, ask.behind.fan)
    if score and string.format('%.0f', score) == ask.behind.score then
      return redis.call('ZREVRANK', places, ask.behind.fan) + 1
    end
    -- The fan has moved since: whoever is not above where they were.
    return redis.call('ZCOUNT', places, '(' .. ask.behind.score, '+inf')
  end
  return ask.offset or 0
end

local function rows_from(place)
  local found = redis.call('ZREVRANGE', places, place, place + ask.limit - 1, 'WITHSCORES')
  if #found == 0 then return nil end
  local rows, fans = {}, {}
  for i = 1, #found, 2 do
    fans[#fans + 1] = found[i]
  end
  local guard = redis.call('HMGET', guards, unpack(fans))
  for i, fan in ipairs(fans) do
    rows[i] = {fan = fan, score = found[2 * i], guard = guard[i] or nil}
  end
  return rows
end

local function standing_of(fan)
  local score = redis.call('ZSCORE', places, fan)
  if not score then return nil end
  local points = points_of(score)
  local over = above(points)
  return {
    score = score,
    rank = over + 1,
    tied = redis.call('ZCOUNT', places, least(points), '(' .. least(points + 1)),
    above = over > 0 and score_at(over - 1) or nil,
  }
end

local from = before()
local rows = rows_from(from)
return cjson.encode({
  state = 'ok',
  total = redis.call('ZCARD', places),
  from = from,
  rank = rows and above(points_of(rows[1].score)) + 1 or 0,
  rows = rows,
  following = score_at(from + ask.limit) or nil,
  reader = ask.reader and standing_of(ask.reader) or nil,
})
