--- @include "tag"

-- Whether a gateway runs: it renews its feeds, and they expire after it has stopped.
local function is_alive(gateway) return redis.call('EXISTS', tag .. '/feed/' .. gateway) == 1 end
