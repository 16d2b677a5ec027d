-- Recall a notification whose record is in this partition. ARGV: record key, base of its log or ''
-- (compound), tenant, id, 1 when calls that make copies may still arrive (it is for users alone). Idempotent.
-- Answers 0 when there is no such record, 1 when it is recalled, 2 when somebody may have a copy, which a
-- dispatcher takes back. One that is recalled before it was stored will never be.

--- @include "tag"
--- @include "recall_entry"
--- @include "add_to_ingress"

local record = tag .. '/' .. ARGV[1]
local status = redis.call('GETRANGE', record, 0, 0)
if status == '' then return 0 end
local base, tenant, id = ARGV[2], ARGV[3], ARGV[4]
if status == 'c' then return 1 end
if status == 'r' then return base == '' and 2 or 1 end
if base ~= '' then
  local position = tonumber(redis.call('GETRANGE', record, 27, 42))
  if position > 0 then recall_entry(base, position, id) end
  redis.call('SETRANGE', record, 0, 'r')
else
  if status == 'a' then
    -- Not begun: the dispatcher will find it cancelled.
    redis.call('SETRANGE', record, 0, 'c')
  else
    redis.call('SETRANGE', record, 0, 'r')
    add_to_ingress({ { 'r', tenant, id, ARGV[5] == '1' } })
  end
end
write_feeds()
return base == '' and status ~= 'a' and 2 or 1
