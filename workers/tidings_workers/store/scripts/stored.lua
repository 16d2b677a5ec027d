--[[
  Set the status of notifications to stored, because all their copies are. One that was recalled stays recalled.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed {tenant, id} of each

  Returns 1.
]]

--- @include "tag"
--- @include "now_ms"
--- @include "record_key"
--- @include "record_status"
--- @include "stored_event"

local now = string.format('%013.0f', now_ms())
for _, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local tenant, id = unpack(item)
  local record = record_key(tenant, id)
  if record_status(record) == 'x' then
    redis.call('SETRANGE', record, 0, 's')
    redis.call('SETRANGE', record, 14, now)
    stored_event(tenant, id, '', tonumber(redis.call('GETRANGE', record, 43, 52)))
  end
  redis.call('DEL', record .. '/progress')
  redis.call('ZREM', tag .. '/unfinished', tenant .. '/' .. id)
end
return 1
