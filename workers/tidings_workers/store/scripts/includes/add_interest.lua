--- @include "add_to_interest"

-- Lua's `unpack` takes some thousands of values.
local BASES_AT_ONCE = 1000

-- Register the interest of a gateway in logs.
local function add_interest(gateway, bases)
  for start = 1, #bases, BASES_AT_ONCE do
    local some = { unpack(bases, start, math.min(start + BASES_AT_ONCE - 1, #bases)) }
    for i, gateways in ipairs(redis.call('HMGET', interest, unpack(some))) do
      add_to_interest(gateway, some[i], gateways)
    end
  end
end
