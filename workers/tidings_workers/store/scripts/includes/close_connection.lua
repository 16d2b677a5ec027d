--- @include "tag"
--- @include "feeds"
--- @include "remove_connection"

-- Keys of a gateway that has stopped expire after this time.
local GATEWAY_KEYS_MS = 3600000

-- Remove a registration (a row of `connections`) and ask its gateway to close the connection. `write_feeds` must
-- follow.
local function close_connection(base, row, code)
  local id, gateway = row[1], row[4]
  local closing = tag .. '/closing/' .. gateway
  remove_connection(base, id, gateway)
  redis.call('HSET', closing, id, code)
  redis.call('PEXPIRE', closing, GATEWAY_KEYS_MS)
  local items = feed_items[gateway] or {}
  items[#items + 1] = { 'k', base, { id }, code }
  feed_items[gateway] = items
end
