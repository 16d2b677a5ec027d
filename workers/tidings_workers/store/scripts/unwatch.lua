-- The gateway no longer holds connections of these logs. ARGV[1]: packed {gateway, bases}.
local request = cmsgpack.unpack(ARGV[1])
for _, base in ipairs(request[2]) do
  redis.call('SREM', KEYS[1] .. '/' .. base .. '/gateways', request[1])
end
return #request[2]
