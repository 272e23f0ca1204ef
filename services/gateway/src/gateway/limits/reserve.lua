-- Lets one attempt pass all of its gates or none: every gate is checked, then every gate is charged, in one step.
-- KEYS: for each gate its key; a gate of tokens has a second one.
-- ARGV: the attempt's id, the window and the lease in microseconds, then for each gate its kind, limit and amount.
-- Returns, in one string: the first gate that refused (0: none, -1: a budget is not loaded, nothing was charged), then for each gate
-- what is used (-1: not loaded), and the microseconds until a refused call would pass and until all has left the window.
-- The server's own clock is the one clock of all replicas.
--   requests      a sorted set of attempts by time
--   tokens        the same, and a hash with the tokens of each attempt and their sum
--   concurrency   a sorted set of attempts by the end of their lease
--   budget        a hash: `spent`, `held`, and `h:<attempt>` for each that runs
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local id, window, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local STEPS = 200 -- of a search for the moment at which enough tokens have left

local look = {}

function look.requests(gate)
  redis.call('ZREMRANGEBYSCORE', gate.key, '-inf', now - window)
  return redis.call('ZCARD', gate.key)
end

function look.tokens(gate)
  local left = redis.call('ZRANGEBYSCORE', gate.key, '-inf', now - window)
  if #left > 0 then
    local freed = 0
    for _, attempt in ipairs(left) do
      freed = freed + (tonumber(redis.call('HGET', gate.amounts, attempt)) or 0)
      redis.call('HDEL', gate.amounts, attempt)
    end
    redis.call('ZREMRANGEBYSCORE', gate.key, '-inf', now - window)
    redis.call('HINCRBY', gate.amounts, 'sum', -freed)
  end
  return tonumber(redis.call('HGET', gate.amounts, 'sum')) or 0
end

function look.concurrency(gate)
  redis.call('ZREMRANGEBYSCORE', gate.key, '-inf', now)
  return redis.call('ZCARD', gate.key)
end

function look.budget(gate)
  local known = redis.call('HMGET', gate.key, 'spent', 'held')
  if not known[1] then return -1 end
  return tonumber(known[1]) + (tonumber(known[2]) or 0)
end

local charge = {}

function charge.requests(gate)
  redis.call('ZADD', gate.key, now, id)
  redis.call('PEXPIRE', gate.key, math.ceil(window / 1000))
end

function charge.tokens(gate)
  redis.call('ZADD', gate.key, now, id)
  redis.call('HSET', gate.amounts, id, gate.amount)
  redis.call('HINCRBY', gate.amounts, 'sum', gate.amount)
  redis.call('PEXPIRE', gate.key, math.ceil(window / 1000))
  redis.call('PEXPIRE', gate.amounts, math.ceil(window / 1000))
end

function charge.concurrency(gate)
  redis.call('ZADD', gate.key, now + lease, id)
  redis.call('PEXPIRE', gate.key, math.ceil(lease / 1000))
end

function charge.budget(gate)
  redis.call('HSET', gate.key, 'h:' .. id, gate.amount)
  redis.call('HINCRBY', gate.key, 'held', gate.amount)
end

-- The server's clock went back: what it charged before would stay for as long as that, so that it counts from now on.
local function mend(gate)
  if gate.kind == 'budget' then return end
  local latest = string.format('%.0f', gate.kind == 'concurrency' and now + lease or now)
  for _, attempt in ipairs(redis.call('ZRANGEBYSCORE', gate.key, '(' .. latest, '+inf')) do
    redis.call('ZADD', gate.key, latest, attempt)
  end
end

local function retry(gate)
  if gate.kind == 'requests' then
    local oldest = redis.call('ZRANGE', gate.key, 0, 0, 'WITHSCORES')[2] or now
    return oldest + window - now
  elseif gate.kind == 'tokens' then
    local attempts = redis.call('ZRANGE', gate.key, 0, STEPS - 1, 'WITHSCORES')
    local missing = gate.used + gate.amount - gate.limit
    for at = 1, #attempts, 2 do
      missing = missing - (tonumber(redis.call('HGET', gate.amounts, attempts[at])) or 0)
      if missing <= 0 or at + 2 > #attempts then return attempts[at + 1] + window - now end
    end
  end
  return 0
end

local function reset(gate)
  if gate.kind ~= 'requests' and gate.kind ~= 'tokens' then return 0 end
  local newest = redis.call('ZRANGE', gate.key, -1, -1, 'WITHSCORES')[2] or (now - window)
  return newest + window - now
end

local gates, at, refused, unloaded = {}, 1, 0, false
for number = 1, (#ARGV - 3) / 3 do
  local kind = ARGV[number * 3 + 1]
  local gate = { kind = kind, key = KEYS[at], limit = tonumber(ARGV[number * 3 + 2]), amount = tonumber(ARGV[number * 3 + 3]) }
  at = at + 1
  if kind == 'tokens' then
    gate.amounts = KEYS[at]
    at = at + 1
  end
  gate.used = look[kind](gate)
  gates[number] = gate
  if gate.used < 0 then
    unloaded = true
  elseif refused == 0 and gate.used + gate.amount > gate.limit then
    refused = number
    mend(gate)
  end
end
if refused == 0 and unloaded then refused = -1 end

local answer = { refused }
for number, gate in ipairs(gates) do
  if refused == 0 then
    if gate.amount > 0 then charge[gate.kind](gate) end
    gate.used = gate.used + gate.amount
  end
  table.insert(answer, gate.used)
  table.insert(answer, refused == number and math.max(0, retry(gate)) or 0)
  table.insert(answer, math.max(0, reset(gate)))
end
for at, value in ipairs(answer) do answer[at] = string.format('%.0f', value) end
return table.concat(answer, ' ') -- one string: a list costs its reader more than all else in a call
