-- Counts the fans in a room who are on other processes and not on this one, as each process told.
--
-- KEYS  the list of processes that told, this process's own set of fans
-- ARGV  the second since which what was told counts
-- Reply {fans}

local processes, own, since = KEYS[1], KEYS[2], ARGV[1]

local sets = {own}
for _, process in ipairs(redis.call('ZRANGEBYSCORE', processes, since, '+inf')) do
  sets[#sets + 1] = processes .. ':' .. process
end
local everywhere = #redis.call('SUNION', unpack(sets))
return cjson.encode({fans = everywhere - redis.call('SCARD', own)})
