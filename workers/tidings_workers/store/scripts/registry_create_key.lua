-- Give a tenant its next key: k1, k2, ... dense, and never a second time, not even after a deletion.
-- KEYS: tenants, the tenant's keys, counters, version. ARGV: tenant, record.
-- Answers the kid (the same one for a repeated call), or '' when there is no such tenant.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return ''
end
local last = 'k' .. (redis.call('HGET', KEYS[3], ARGV[1]) or '0')
if redis.call('HGET', KEYS[2], last) == ARGV[2] then
  return last
end
local kid = 'k' .. redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
redis.call('HSET', KEYS[2], kid, ARGV[2])
redis.call('INCR', KEYS[4])
return kid
