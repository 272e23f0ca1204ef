-- Sliding-window limits: every gate is checked, then every gate is charged, in one step.
-- KEYS: one sorted set a gate, whose members are the calls of the last window, scored with their time.
-- ARGV: the call's id, the window in microseconds, then the limit of each gate.
-- Returns: the first gate that refused (0: none), then for each gate: calls counted, and the microseconds until the
-- oldest leaves the window and until the newest does. The server's own clock is the one clock of all replicas.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window = tonumber(ARGV[2])

local refused = 0
for gate, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  if refused == 0 and redis.call('ZCARD', key) >= tonumber(ARGV[2 + gate]) then
    refused = gate
  end
end

if refused == 0 then
  for _, key in ipairs(KEYS) do
    redis.call('ZADD', key, now, ARGV[1])
    redis.call('PEXPIRE', key, math.ceil(window / 1000))
  end
end

local answer = { refused }
for _, key in ipairs(KEYS) do
  local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or (now - window)
  local newest = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2] or (now - window)
  table.insert(answer, redis.call('ZCARD', key))
  table.insert(answer, math.max(0, oldest + window - now))
  table.insert(answer, math.max(0, newest + window - now))
end
return answer
