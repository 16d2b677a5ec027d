--- @include "interest"

-- Add a gateway to those with an interest in a log, as the hash has them, or false for none.
local function add_to_interest(gateway, base, gateways)
  if not gateways then
    redis.call('HSET', interest, base, gateway)
  elseif not string.find(' ' .. gateways .. ' ', ' ' .. gateway .. ' ', 1, true) then
    redis.call('HSET', interest, base, gateways .. ' ' .. gateway)
  end
end
