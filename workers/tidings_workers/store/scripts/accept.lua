-- Take notifications into this partition, in order. ARGV[1]: packed items; an item is
--   {kind, tenant, id, accepted ms, to, content, expires, base, exclude, excluded users, recipients,
--    category, life of the record in ms or 0 for ever, cuts}
-- kind: 'l' for one log (user, group or all: appended here and now), 'c' for a target with several groups, or
-- with groups and users (expanded by the dispatcher; `cuts` are the clocks of its groups), '0' for nobody; or
--   {'k', bases, id, content, expires, category}
-- for copies of a notification to several users that has begun (see begin.lua).
-- A record, and a user's copy, is made once only: a retry with the same id does nothing.

--- @include "tag"
--- @include "now_ms"
--- @include "append"
--- @include "append_copy"
--- @include "add_to_ingress"
--- @include "record_header"
--- @include "store_record"

local items = cmsgpack.unpack(ARGV[1])
local operations = {}
local now = now_ms()

local function accept(item)
  local kind, tenant, id, accepted = item[1], item[2], item[3], item[4]
  local base, exclude, excluded, recipients, category = item[8], item[9], item[10], item[11], item[12]
  local record = tag .. '/n/' .. tenant .. '/' .. id
  if redis.call('EXISTS', record) == 1 then return end
  local position, status, stored = 0, 's', now
  if kind == 'c' then
    status, stored = 'a', 0
    operations[#operations + 1] = { 'c', tenant, id, item[14] }
  elseif kind == 'l' then
    if string.sub(base, 1, 2) == 'g/' then
      local members = tag .. '/' .. base .. '/members'
      local hidden = {}
      for _, user in ipairs(excluded) do
        if redis.call('ZSCORE', members, user) then hidden[#hidden + 1] = user end
      end
      excluded = hidden
      recipients = redis.call('ZCARD', members) - #hidden
    end
    -- An unknown or empty group has nobody who could ever see the position.
    if recipients ~= 0 then
      position = append(base, item[6], item[7], exclude, category)
      if #excluded > 0 then
        -- Stored as soon as it is hidden from them: until then their counts have it.
        status, stored = 'x', 0
        operations[#operations + 1] = { 'h', tenant, base, position, excluded, id }
      end
    end
  end
  local head = record_header(status, accepted, stored, position, recipients)
  store_record(tenant, id, head .. item[5] .. '\n' .. item[6], category, item[13])
end

for _, item in ipairs(items) do
  if item[1] == 'k' then
    for _, base in ipairs(item[2]) do append_copy(base, item[3], item[4], item[5], item[6]) end
  else
    accept(item)
  end
end

add_to_ingress(operations)
write_feeds()
return #items
