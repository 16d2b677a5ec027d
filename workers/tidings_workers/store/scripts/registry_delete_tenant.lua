-- Take a tenant and all its keys away.
-- KEYS: tenants, the tenant's keys, version. ARGV: tenant. Answers 1, or 0 when there was none.
local removed = redis.call('HDEL', KEYS[1], ARGV[1]) + redis.call('DEL', KEYS[2])
if removed == 0 then
  return 0
end
redis.call('INCR', KEYS[3])
return 1
