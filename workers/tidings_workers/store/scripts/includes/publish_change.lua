--- @include "publish"

-- Publish an event that gave no position, together with the log's number of changes after it. A gateway that
-- counted as many changes has missed none; positions show which appends it missed.
local function publish_change(base, item)
  item[#item + 1] = redis.call('HINCRBY', tag .. '/' .. base, 'changes', 1)
  publish(base, item)
end
