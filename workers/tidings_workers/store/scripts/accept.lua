--[[
  Accept notifications into this partition, in order. A record and a copy are made once: a call may be repeated. Plain
  sends alone take accept_plain.lua.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed items; the first field of each is its kind

    'l'  the target is one log (of a user, a group, a topic or all): appended now
    'c'  the target is compound with groups: a dispatcher expands it
    '0'  the target is empty
      2 tenant
      3 id
      4 accepted    Unix ms
      5 to          the target as JSON
      6 content     the stored content as JSON
      7 expires     Unix ms, 0 for never
      8 base        of the log, '' without one
      9 exclude     ids of the excluded users, separated by commas, or ''
      10 excluded   the same ids as a list
      11 recipients -1 for unknown
      12 category   or ''
      13 life       of the record in ms, 0 for ever
      14 cuts       of the groups, only for 'c'

    'k'  the copies of a notification that begin.lua accepted
      2 bases       of the logs of its users or topics
      3 id
      4 content
      5 expires
      6 category

  Returns the number of items.
]]

--- @include "tag"
--- @include "accepted_key"
--- @include "now_ms"
--- @include "append"
--- @include "append_copies"
--- @include "add_to_ingress"
--- @include "record_header"
--- @include "record_key"
--- @include "store_record"
--- @include "stored_event"

local items = cmsgpack.unpack(ARGV[1])
local operations = {}
local now = now_ms()

for _, item in ipairs(items) do
  if item[1] == 'k' then
    local _, bases, id, content, expires, category = unpack(item)
    append_copies(bases, id, content, expires, category)
  else
    local kind, tenant, id, accepted, to, content, expires, base, exclude, excluded, recipients, category, life, cuts =
      unpack(item)
    local record, to_topics = record_key(tenant, id), string.sub(base, 1, 2) == 't/'
    local known
    if to_topics then
      known = redis.call('EXISTS', record)
    else
      known = redis.call('HEXISTS', accepted_key(tenant, id), id)
    end
    if known == 0 then
      local position, status, stored = 0, 's', now
      if kind == 'c' then
        status, stored = 'a', 0
        operations[#operations + 1] = { 'c', tenant, id, cuts }
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
        -- No user could ever see a position of a group without members.
        if recipients ~= 0 then
          position = append(base, content, expires, exclude, category)
          if #excluded > 0 then
            -- Until a dispatcher has hidden the position from these users, their counts include it.
            status, stored = 'x', 0
            operations[#operations + 1] = { 'h', tenant, base, position, excluded, id }
          end
        end
      end
      local header = record_header(status, accepted, stored, position, recipients)
      store_record(record, tenant, id, header .. to .. '\n' .. content, category, life, to_topics)
      if status == 's' then stored_event(tenant, id, base, recipients) end
    end
  end
end

add_to_ingress(operations)
write_feeds()
return #items
