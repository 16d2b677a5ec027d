-- Make a tenant, unless its name is taken or was an earlier tenant's.
-- KEYS: tenants, counters, version. ARGV: tenant, record.
-- Answers 'made' (the same for a repeated call), 'exists', or 'kept': a deleted tenant had keys, so the
-- store may hold its data, and a new owner of the name would read them.
local current = redis.call('HGET', KEYS[1], ARGV[1])
if current then
  return current == ARGV[2] and 'made' or 'exists'
end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then
  return 'kept'
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
-- A store that lost its data must not return to a version that some process has already cached,
-- so the counter begins at the clock and not at zero.
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('SET', KEYS[3], redis.call('TIME')[1] .. '000')
end
redis.call('INCR', KEYS[3])
return 'made'
