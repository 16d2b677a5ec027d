--- @include "feeds"

local gateways_of = {}

-- Add an item to the feed of every gateway that has interest in the log. `write_feeds` must follow.
local function publish(base, item)
  local gateways = gateways_of[base]
  if not gateways then
    gateways = redis.call('HGET', interest, base) or ''
    gateways_of[base] = gateways
  end
  for gateway in string.gmatch(gateways, '%S+') do
    local items = feed_items[gateway]
    if items then
      items[#items + 1] = item
    else
      feed_items[gateway] = { item }
    end
  end
end
