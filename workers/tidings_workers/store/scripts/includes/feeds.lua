--- @include "write_feed"

-- Items for the feeds of gateways, by gateway. A script collects them while it changes logs and writes them at its end,
-- so a log and its feeds cannot disagree.
local feed_items = {}

local function write_feeds()
  for gateway, items in pairs(feed_items) do write_feed(gateway, items) end
end
