-- Opens a generation and frees, in the same step, what a rebuild that died left half made, and the
-- places of another run of Redis: no keys are ever left that nothing names.
--
-- KEYS  the board
-- ARGV  mark of this run of Redis, the generation to build
-- Reply {building = the generation}

local board, mark, generation = KEYS[1], ARGV[1], ARGV[2]

local function free(old)
  redis.call('UNLINK', board .. ':z:' .. old, board .. ':g:' .. old)
end

local meta = redis.call('HMGET', board, 'gen', 'run', 'building')
local shown, run, built = meta[1], meta[2], meta[3]
if built then free(built) end
if shown and run ~= mark then
  redis.call('HDEL', board, 'gen')
  free(shown)
end
redis.call('HSET', board, 'building', generation, 'run', mark)
return cjson.encode({building = generation})
