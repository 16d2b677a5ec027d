-- The time (ms) at which the notification of a record was accepted, nil when there is no such record.
local function record_accepted(record) return tonumber(redis.call('GETRANGE', record, 1, 13)) end
