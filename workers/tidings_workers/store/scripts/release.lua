-- Give a partition's lease back, if it is still the owner's. ARGV: owner.
local key = KEYS[1] .. '/lease'
if redis.call('GET', key) == ARGV[1] then return redis.call('DEL', key) end
return 0
