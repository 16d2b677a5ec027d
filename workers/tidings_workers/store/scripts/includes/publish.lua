--- @include "tag"
--- @include "feeds"

local gateways_of = {}

-- Add an item to the feed of every gateway that has interest in the log. `write_feeds` must follow.
local function publish(base, item)
  local gateways = gateways_of[base]
  if not gateways then
    gateways = redis.call('SMEMBERS', tag .. '/' .. base .. '/gateways')
    gateways_of[base] = gateways
  end
  for i = 1, #gateways do
    local items = feed_items[gateways[i]]
    if items then
      items[#items + 1] = item
    else
      feed_items[gateways[i]] = { item }
    end
  end
end
