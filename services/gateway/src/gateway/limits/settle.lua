-- Puts what an attempt used in the place of what was reserved for it, and frees its slot. Again changes nothing.
-- KEYS: as in reserve.lua, without the gates of requests, which stay charged unless the call was refused since.
-- ARGV: the attempt's id; if it was never charged, the moment it began in microseconds, else ''; then for each gate
-- its kind, what was used, and its limit.
-- Returns, in one string: for each budget what is spent now (-1: not loaded), and 1 each for the alerts that it has just passed.
local id, uncharged = ARGV[1], tonumber(ARGV[2])
local ALERTS = { 80, 100 }
local answer = {}

local settle = {}

function settle.tokens(key, used, _, amounts)
  local reserved = tonumber(redis.call('HGET', amounts, id))
  if not reserved then return end
  redis.call('HINCRBY', amounts, 'sum', used - reserved)
  if used == 0 then
    redis.call('HDEL', amounts, id)
    redis.call('ZREM', key, id)
  else
    redis.call('HSET', amounts, id, used)
  end
end

function settle.requests(key)
  redis.call('ZREM', key, id)
end

function settle.concurrency(key)
  redis.call('ZREM', key, id)
end

function settle.budget(key, used, limit)
  local known = redis.call('HMGET', key, 'spent', 'h:' .. id, 'loaded')
  local spent, held = tonumber(known[1]), tonumber(known[2])
  if held then
    redis.call('HDEL', key, 'h:' .. id)
    redis.call('HINCRBY', key, 'held', -held)
  end
  if spent and (held or (uncharged and tonumber(known[3]) < uncharged)) then
    spent = spent + used
    redis.call('HINCRBY', key, 'spent', used)
  end
  table.insert(answer, spent or -1)
  for _, percent in ipairs(ALERTS) do
    local passed = spent and limit > 0 and spent * 100 >= limit * percent
    table.insert(answer, passed and redis.call('HSETNX', key, 'alert' .. percent, 1) or 0)
  end
end

local at = 1
for number = 1, (#ARGV - 2) / 3 do
  local kind = ARGV[number * 3]
  local key, amounts = KEYS[at], nil
  at = at + 1
  if kind == 'tokens' then
    amounts = KEYS[at]
    at = at + 1
  end
  settle[kind](key, tonumber(ARGV[number * 3 + 1]), tonumber(ARGV[number * 3 + 2]), amounts)
end
for at, value in ipairs(answer) do answer[at] = string.format('%.0f', value) end
return table.concat(answer, ' ')
