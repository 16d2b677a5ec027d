-- Take or renew a partition's lease. ARGV: owner, ttl ms. Answers 1 when the owner holds it.
local key = KEYS[1] .. '/lease'
local held = redis.call('GET', key)
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
return 1
