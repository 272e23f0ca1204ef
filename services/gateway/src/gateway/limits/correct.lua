-- Sets what a budget has spent, if it is still what was seen and no attempt is running.
-- KEYS[1]: the budget. ARGV: nano-dollars seen, nano-dollars to set. Returns 1 if it was set.
local known = redis.call('HMGET', KEYS[1], 'spent', 'held')
if known[1] ~= ARGV[1] or tonumber(known[2]) ~= 0 then return 0 end
redis.call('HSET', KEYS[1], 'spent', ARGV[2])
return 1
