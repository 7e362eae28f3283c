-- Ends a generation that is being built: shows it and frees the one before, or frees it.
--
-- KEYS  the board
-- ARGV  the generation, `show` or `free`
-- Reply {ended = false when another generation is being built, or none}

local board, generation, how = KEYS[1], ARGV[1], ARGV[2]

local meta = redis.call('HMGET', board, 'gen', 'building')
local shown, built = meta[1], meta[2]
if built ~= generation then return cjson.encode({ended = false}) end

local old = built
if how == 'show' then
  redis.call('HSET', board, 'gen', built)
  old = shown
end
redis.call('HDEL', board, 'building')
if old then redis.call('UNLINK', board .. ':z:' .. old, board .. ':g:' .. old) end
return cjson.encode({ended = true})
