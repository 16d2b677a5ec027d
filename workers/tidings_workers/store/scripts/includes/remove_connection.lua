--- @include "tag"

-- Remove the registration of a connection. Returns false when there was none.
local function remove_connection(base, id, gateway)
  redis.call('HDEL', tag .. '/connections/' .. gateway, id)
  return redis.call('HDEL', tag .. '/' .. base .. '/connections', id) == 1
end
