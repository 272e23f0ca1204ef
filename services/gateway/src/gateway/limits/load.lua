-- Makes a budget known: what the usage ledger says was spent, and what is reserved for attempts that run.
-- KEYS[1]: the budget. ARGV: the milliseconds that it is kept, nano-dollars spent, then pairs of attempt and nano-dollars.
if redis.call('HEXISTS', KEYS[1], 'spent') == 1 then return 0 end
local time = redis.call('TIME')
local held = 0
for at = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[1], 'h:' .. ARGV[at], ARGV[at + 1])
  held = held + tonumber(ARGV[at + 1])
end
redis.call('HSET', KEYS[1], 'spent', ARGV[2], 'held', held, 'loaded', time[1] * 1000000 + time[2])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
