-- Claim an idempotency key, or say who holds it. ARGV: key, value, ttl ms.
-- Answers false when the claim is new, else the value that was there.
local key = KEYS[1] .. '/' .. ARGV[1]
local held = redis.call('GET', key)
if held then return held end
redis.call('SET', key, ARGV[2], 'PX', ARGV[3])
return false
