--- @include "tag"
--- @include "add_spans"
--- @include "delivered_to"

-- Record that spans {{after, up_to}, ...} of a log were delivered to a user. Returns the parts that were not before.
local function add_delivered(user, log_base, spans)
  local added, whole = add_spans(delivered_to(user, log_base), spans)
  if #added > 0 then
    redis.call('HSET', tag .. '/' .. user .. '/delivered', log_base, cjson.encode(whole))
  end
  return added
end
