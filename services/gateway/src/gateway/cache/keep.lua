-- Keeps one answer, and as many of the others as fit: those that expire first go first.
-- KEYS: the answer's key, a sorted set of names by expiry, a hash of sizes with their sum.
-- ARGV: the answer, its name, its size, its life in milliseconds, the most bytes of all, the prefix of answers' keys.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local size, life, most = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local function drop(name)
  local had = tonumber(redis.call('HGET', KEYS[3], name)) or 0
  redis.call('HDEL', KEYS[3], name)
  redis.call('ZREM', KEYS[2], name)
  redis.call('DEL', ARGV[6] .. name)
  redis.call('HINCRBY', KEYS[3], 'sum', -had)
end

for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)) do drop(name) end
if redis.call('HEXISTS', KEYS[3], ARGV[2]) == 1 then drop(ARGV[2]) end
while (tonumber(redis.call('HGET', KEYS[3], 'sum')) or 0) + size > most do
  local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if not first then break end
  drop(first)
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', life)
redis.call('ZADD', KEYS[2], now + life, ARGV[2])
redis.call('HSET', KEYS[3], ARGV[2], size)
redis.call('HINCRBY', KEYS[3], 'sum', size)
redis.call('PEXPIRE', KEYS[2], life * 2)
redis.call('PEXPIRE', KEYS[3], life * 2)
return 1
