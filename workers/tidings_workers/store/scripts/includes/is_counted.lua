--- @include "tag"
--- @include "decimal"

-- Whether a count of users depends on this span of a log. In the user's own log only copies are counted: the receipts
-- of direct notifications are read from the user's state.
local function is_counted(user, log_base, span)
  return user ~= log_base or redis.call('ZCOUNT', tag .. '/' .. log_base .. '/copies',
    '(' .. decimal(span[1]), span[2]) > 0
end
