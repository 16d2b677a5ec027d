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
--- @include "recall_entry"
--- @include "add_to_ingress"
--- @include "record_position"
--- @include "record_status"

local record, base, tenant, id, late = tag .. '/' .. ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local status = record_status(record)
if status == '' then return 0 end
if status == 'c' then return 1 end
if status == 'r' then return base == '' and 2 or 1 end
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
