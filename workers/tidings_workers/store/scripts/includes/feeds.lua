--- @include "tag"

local FEED_LENGTH = 1024

-- Items for the feeds of gateways, by gateway. A script collects them while it changes logs and writes them at its end,
-- so a log and its feeds cannot disagree.
local feed_items = {}

-- Write one packed entry per gateway. A gateway renews its feeds while it runs; one whose feed has expired has
-- stopped, so its interest is removed here and does not accumulate.
local function write_feeds()
  for gateway, items in pairs(feed_items) do
    local written = redis.call('XADD', tag .. '/feed/' .. gateway, 'NOMKSTREAM', 'MAXLEN', '~', FEED_LENGTH,
      '*', 'f', cmsgpack.pack(items))
    if not written then
      for i = 1, #items do
        redis.call('SREM', tag .. '/' .. items[i][2] .. '/gateways', gateway)
      end
    end
  end
end
