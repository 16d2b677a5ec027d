--[[
  Accept plain sends of one tenant, in order: each to one user, one group or all, without excludes, all accepted at the
  same time. The entry of the log is the only place of the content. A send is accepted once: a call may be repeated.

  It calls few commands: where it can, one for all notifications. A single send takes accept_one.lua.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant
  ARGV[2]  ms since the sends were accepted
  ARGV[3]  '', or packed: {number, expires, category} of each notification that expires or has a category; the first
           notification is number 1, `expires` is Unix ms or 0, `category` a name or ''

  Two arguments follow for each notification: the base of its log, and the stored content as JSON.

  Returns the numbers of notifications that were not accepted, because their group has no members: no user could ever
  see their position. accept.lua keeps a record of them.
]]

--- @include "tag"
--- @include "accepted_key"
--- @include "entry_fields"
--- @include "feeds"
--- @include "list_sent"
--- @include "stored_event"

local tenant, waited, packed = ARGV[1], ARGV[2], ARGV[3]
local ids = {}
for i = 5, #ARGV, 2 do ids[#ids + 1] = string.sub(ARGV[i], 8, 43) end
local accepted = accepted_key(tenant, ids[1])
local known = redis.call('HMGET', accepted, unpack(ids))

-- The logs of the new notifications, and how many each log gets.
local bases, counts = {}, {}
for i = 1, #ids do
  if not known[i] then
    local base = ARGV[2 * i + 2]
    if not counts[base] then bases[#bases + 1] = base end
    counts[base] = (counts[base] or 0) + 1
  end
end
if #bases == 0 then return {} end

-- The positions of one log are taken together.
local heads, recipients, gateways = {}, {}, {}
bases[#bases + 1] = 'events/' .. tenant
local interested = redis.call('HMGET', interest, unpack(bases))
wishes[tenant] = interested[#bases] or ''
bases[#bases] = nil
for i, base in ipairs(bases) do
  local kind, users = string.sub(base, 1, 1), 1
  if kind == 'a' then users = -1 end
  if kind == 'g' then users = redis.call('ZCARD', tag .. '/' .. base .. '/members') end
  if users ~= 0 then
    local head = redis.call('HINCRBY', tag .. '/' .. base, 'head', counts[base]) - counts[base]
    -- The retention sweep visits the log as soon as it has a first entry.
    if head == 0 then redis.call('ZADD', tag .. '/due', 'LT', 0, base) end
    heads[base] = head
  end
  recipients[base], gateways[base] = users, interested[i]
end

local extras = {}
if packed ~= '' then
  for _, extra in ipairs(cmsgpack.unpack(packed)) do extras[extra[1]] = extra end
end

local refused, rows, listed, categories = {}, {}, {}, {}
for i = 1, #ids do
  local base, content = ARGV[2 * i + 2], ARGV[2 * i + 3]
  local head = heads[base]
  if known[i] then
    -- An earlier call accepted it.
  elseif not head then
    refused[#refused + 1] = i
  else
    local position = head + 1
    heads[base] = position
    local entry, extra = string.format('%.0f', position), extras[i]
    local log, expires, category = tag .. '/' .. base .. '/log', 0, ''
    if extra then
      expires, category = extra[2], extra[3]
      redis.call('XADD', log, entry .. '-0', unpack(entry_fields(base, entry, content, expires, '', category)))
    else
      redis.call('XADD', log, entry .. '-0', 'n', content)
    end
    rows[#rows + 1] = ids[i]
    rows[#rows + 1] = entry .. ' ' .. waited .. ' ' .. recipients[base] .. ' ' .. base
    listed[#listed + 1] = ids[i]
    if wishes[tenant] ~= '' then stored_event(tenant, ids[i], base, recipients[base]) end
    categories[#listed] = category
    if gateways[base] then
      for gateway in string.gmatch(gateways[base], '%S+') do
        local items = feed_items[gateway] or {}
        items[#items + 1] = { 'n', base, position, content, expires, '' }
        feed_items[gateway] = items
      end
    end
  end
end
if #rows == 0 then return refused end
redis.call('HSET', accepted, unpack(rows))
list_sent(tenant, table.concat(listed), 'l', packed ~= '' and cmsgpack.pack(categories) or '')
write_feeds()
return refused
