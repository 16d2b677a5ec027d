--[[
  Recall a notification whose record is in this partition. One that is recalled before it was stored is never stored.
  A call may be repeated.

  KEYS[1]  hash tag of the partition
  ARGV[1]  record
  ARGV[2]  base of its log, '' for a compound notification
  ARGV[3]  tenant
  ARGV[4]  id
  ARGV[5]  '1' when calls that make copies may still arrive: its target names no group

  Returns 0  there is no such record
          1  it is recalled
          2  users may have copies, and a dispatcher removes them
]]

--- @include "tag"
--- @include "accepted_key"
--- @include "recall_entry"
--- @include "add_to_ingress"
--- @include "plain_send"
--- @include "record_position"
--- @include "record_status"
--- @include "write_event"

local record, base, tenant, id, late = tag .. '/' .. ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local status = record_status(record)

local function write_recalled()
  if wants_event(tenant, 'notification.recalled') then
    write_event(tenant, 'notification.recalled', { notification = id })
  end
end

if status == '' then
  local plain_position = plain_send(redis.call('HGET', accepted_key(tenant, id), id))
  if not plain_position then return 0 end
  -- The removal from the log writes a record, if it lives longer than the entry.
  if recall_entry(base, tonumber(plain_position), id) then write_recalled() end
  if record_status(record) ~= '' then redis.call('SETRANGE', record, 0, 'r') end
  write_feeds()
  return 1
end
if status == 'c' then return 1 end
if status == 'r' then return base == '' and 2 or 1 end
write_recalled()
if base ~= '' then
  local position = record_position(record)
  if position > 0 then recall_entry(base, position, id) end
  redis.call('SETRANGE', record, 0, 'r')
  write_feeds()
  return 1
end
if status == 'a' then
  -- No copy was made yet. The dispatcher will find that the notification is cancelled.
  redis.call('SETRANGE', record, 0, 'c')
  return 1
end
redis.call('SETRANGE', record, 0, 'r')
add_to_ingress({ { 'r', tenant, id, late } })
return 2
