-- The position of a record's notification in its log, 0 without one, nil when there is no such record.
local function record_position(record) return tonumber(redis.call('GETRANGE', record, 27, 42)) end
