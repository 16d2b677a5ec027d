--- @include "tag"
--- @include "decimal"

-- Whether a count of users depends on this span of a log. In the user's own log only copies are counted: the receipts
-- of direct notifications are read from the user's state.
local function is_counted(user, log, span)
  return user ~= log or redis.call('ZCOUNT', tag .. '/' .. log .. '/copies',
    '(' .. decimal(span[1]), span[2]) > 0
end
