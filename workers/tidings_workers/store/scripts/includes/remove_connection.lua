--- @include "tag"
--- @include "write_event"

-- Remove the registration of a connection. Returns false when there was none. `base` is '' when the gateway has none for
-- it: then it only leaves the list of the gateway.
local function remove_connection(base, id, gateway)
  redis.call('HDEL', tag .. '/connections/' .. gateway, id)
  local registrations = tag .. '/' .. base .. '/connections'
  local tenant = string.match(base, '^u/([^/]+)')
  if not tenant or not wants_events(tenant) then return redis.call('HDEL', registrations, id) == 1 end
  local user = string.sub(base, #tenant + 4)
  local closed = wants_event(tenant, 'connection.closed')
  local packed = closed and redis.call('HGET', registrations, id)
  if redis.call('HDEL', registrations, id) == 0 then return false end
  if closed then
    local device = cmsgpack.unpack(packed)[1]
    write_event(tenant, 'connection.closed', { user = user, connection = id, device = device ~= '' and device or nil })
  end
  if wants_event(tenant, 'user.offline') and redis.call('EXISTS', registrations) == 0 then
    write_event(tenant, 'user.offline', { user = user })
  end
  return true
end
