--- @include "tag"
--- @include "now_ms"
--- @include "connections"
--- @include "close_connection"
--- @include "write_event"

-- Register a connection. Above `limit` (0 for none) the user's oldest connections, the same device's first, are
-- closed with `code`; with code 0 the new one is refused. A repeated call finds its own registration.
-- Returns 1, or 0 when it was refused.
local function register_connection(base, gateway, device, id, limit, code)
  local registrations = tag .. '/' .. base .. '/connections'
  local now, surplus, open = now_ms(), 0, {}
  if limit > 0 and redis.call('HLEN', registrations) >= limit and redis.call('HEXISTS', registrations, id) == 0 then
    local lost
    open, lost = connections(base)
    for _, row in ipairs(lost) do remove_connection(base, row[1], row[4]) end
    surplus = #open + 1 - limit
    if surplus > 0 and code == 0 then return 0 end
    table.sort(open, function(a, b)
      local mine, other = device ~= '' and a[2] == device, device ~= '' and b[2] == device
      if mine ~= other then return mine end
      if a[3] ~= b[3] then return a[3] < b[3] end
      return a[1] < b[1]
    end)
  end
  local is_new = redis.call('HSET', registrations, id, cmsgpack.pack({ device, now, gateway })) == 1
  local by_gateway = tag .. '/connections/' .. gateway
  redis.call('HSET', by_gateway, id, base)
  redis.call('PEXPIRE', by_gateway, GATEWAY_KEYS_MS)
  local tenant = string.match(base, '^u/([^/]+)')
  if is_new and wants_events(tenant) then
    local user = string.sub(base, #tenant + 4)
    if wants_event(tenant, 'user.online') and redis.call('HLEN', registrations) == 1 then
      write_event(tenant, 'user.online', { user = user })
    end
    if wants_event(tenant, 'connection.opened') then
      write_event(tenant, 'connection.opened', { user = user, connection = id, device = device ~= '' and device or nil })
    end
  end
  -- After the new one is registered: a user whose connection is replaced stays online.
  for i = 1, surplus do close_connection(base, open[i], code) end
  return 1
end
