--- @include "interest"

local function remove_interest(base, gateway)
  local gateways = redis.call('HGET', interest, base) or ''
  local kept = {}
  for each in string.gmatch(gateways, '%S+') do
    if each ~= gateway then kept[#kept + 1] = each end
  end
  if #kept > 0 then
    redis.call('HSET', interest, base, table.concat(kept, ' '))
  else
    redis.call('HDEL', interest, base)
  end
end
