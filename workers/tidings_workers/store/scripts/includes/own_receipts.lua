--- @include "tag"
--- @include "contains"
--- @include "delivered_to"

-- The receipts {delivered, seen, read} of one position of a user's own log, each 0 or 1. state.py describes the state.
local function own_receipts(base, position)
  local packed = redis.call('HGET', tag .. '/' .. base .. '/state', base)
  local state = packed and cjson.decode(packed)
  return {
    contains(delivered_to(base, base), position) and 1 or 0,
    state and contains(state.ever_seen or {}, position) and 1 or 0,
    state and contains(state.ever_read or {}, position) and 1 or 0,
  }
end
