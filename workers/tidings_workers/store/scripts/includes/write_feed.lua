--- @include "tag"
--- @include "remove_interest"

local FEED_LENGTH = 1024

-- Write items to the feed of a gateway as one packed entry. A gateway renews its feeds while it runs; one whose feed
-- has expired has stopped, so its interest is removed here and does not accumulate.
local function write_feed(gateway, items)
  local written = redis.call('XADD', tag .. '/feed/' .. gateway, 'NOMKSTREAM', 'MAXLEN', '~', FEED_LENGTH,
    '*', 'f', cmsgpack.pack(items))
  if not written then
    for i = 1, #items do remove_interest(items[i][2], gateway) end
  end
end
