-- Replace one field of a registry hash if it still holds what the caller read, and bump the version.
-- KEYS: hash, version. ARGV: field, expected ('' = absent), new ('' = delete).
-- Answers 1 when the field now holds the new value (a repeated call included), 0 when it holds another.
local current = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if current == ARGV[3] then
  return 1
end
if current ~= ARGV[2] then
  return 0
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
-- A store that lost its data must not come back to a version that some process has already cached,
-- so the counter begins at the clock and not at zero.
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('SET', KEYS[2], redis.call('TIME')[1] .. '000')
end
redis.call('INCR', KEYS[2])
return 1
