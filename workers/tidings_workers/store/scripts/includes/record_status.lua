-- The status letter of a record (see record_header.lua), '' when there is no such record.
local function record_status(record) return redis.call('GETRANGE', record, 0, 0) end
