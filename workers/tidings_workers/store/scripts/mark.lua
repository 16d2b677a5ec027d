--[[
  Replace a user's state by the state that a mark, a snooze or the use of an action makes of it (compare and swap on the
  state version).

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 base     of the user's log
    2 tenant
    3 user
    4 version  the state version that the caller read
    5 token    names this attempt in the journal: a repeated call finds that it has succeeded
    6 at       time of the mark in ms
    7 states   {log_base, new state as JSON} each
    8 times    {log_base, {field, ms, ...}} each: times to keep; of an action the time and its id
    9 dropped  {log_base, {field, ...}} each: times to remove
    10 firsts  {log_base, kind, {{after, up to}, ...}} each: positions that were never seen, or never read, before, or
               where 'action:' and an id were used now
    11 archived  {log_base, {{after, up to}, ...}} each: positions that this mark archives
    12 change  the change as JSON, for the journal and the gateways
    13 origin  of the mark, for the gateways
    14 changes  of the user's log, as the caller read them; -1 if they do not matter. With an archive they do: an entry
                that has just moved keeps its state
    15 snoozes  {member, ms, ...}: the positions that are snoozed until a time; with 0 no longer

  Returns {1, new version, changes}  the state was replaced, now or by an earlier call with this token
          {0}                        the state has changed since it was read: read it again and retry
]]

--- @include "tag"
--- @include "decimal"
--- @include "add_delivered"
--- @include "is_counted"
--- @include "add_to_ingress"
--- @include "publish_change"
--- @include "write_event"
--- @include "write_progress"

local JOURNAL = 100

local base, tenant, user, version, token, at, states, times, dropped, firsts, archived, change, origin,
  changes, snoozes = unpack(cmsgpack.unpack(ARGV[1]))
local key = tag .. '/' .. base
local known = redis.call('HMGET', key, 'marks', 'changes')
local current = tonumber(known[1] or '0')
local new_version = version + 1
local number = decimal(new_version)
local name = number .. ' ' .. token .. ' '
if current ~= version then
  -- An earlier call with this token made that version, whatever followed it.
  local made = redis.call('LINDEX', key .. '/marks', new_version - current - 1)
  if made and string.sub(made, 1, #name) == name then return { 1, new_version, known[2] or 0 } end
  return { 0 }
end
if changes >= 0 and changes ~= tonumber(known[2] or '0') then return { 0 } end

redis.call('HSET', key, 'marks', number, 'marked', at)
for _, row in ipairs(states) do
  local log_base, state = unpack(row)
  redis.call('HSET', key .. '/state', log_base, state)
end
for _, row in ipairs(times) do
  local log_base, fields = unpack(row)
  for i = 1, #fields, 2 do redis.call('HSET', key .. '/times/' .. log_base, fields[i], fields[i + 1]) end
end
for _, row in ipairs(dropped) do
  local log_base, fields = unpack(row)
  for _, field in ipairs(fields) do redis.call('HDEL', key .. '/times/' .. log_base, field) end
end

if #snoozes > 0 then
  local snoozed = key .. '/snoozed'
  for i = 1, #snoozes, 2 do
    local member, ms = snoozes[i], snoozes[i + 1]
    if ms > 0 then redis.call('ZADD', snoozed, ms, member) else redis.call('ZREM', snoozed, member) end
  end
  local first = redis.call('ZRANGE', snoozed, 0, 0, 'WITHSCORES')
  if first[1] then
    redis.call('ZADD', tag .. '/returning', first[2], base)
  else
    redis.call('ZREM', tag .. '/returning', base)
  end
end

local moves = {}
local function add_moves(log_base, kind, spans)
  for _, span in ipairs(spans) do
    if is_counted(base, log_base, span) then
      moves[#moves + 1] = { tenant, log_base, kind, span[1], span[2], { user } }
    end
  end
end
for _, row in ipairs(firsts) do
  local log_base, kind, spans = unpack(row)
  -- An entry that was seen has been delivered, with or without an acknowledgement of a device.
  if kind == 'seen' then
    local delivered = add_delivered(base, log_base, spans)
    add_moves(log_base, 'delivered', delivered)
    write_progress(base, 'notification.delivered', log_base, delivered)
  end
  add_moves(log_base, kind, spans)
  local action = string.match(kind, '^action:(.*)$')
  if not action then
    write_progress(base, 'notification.' .. kind, log_base, spans)
  elseif wants_event(tenant, 'notification.action') then
    local notification = cjson.decode(change).acted.id
    write_event(tenant, 'notification.action', { user = user, notification = notification, action = action })
  end
end
if #moves > 0 then add_to_ingress({ { 'v', moves } }) end
for _, row in ipairs(archived) do write_progress(base, 'notification.archived', unpack(row)) end

-- A list, because the first block of a stream takes 4 KB even for a single mark.
redis.call('RPUSH', key .. '/marks', name .. change)
redis.call('LTRIM', key .. '/marks', -JOURNAL, -1)
publish_change(base, { 's', base, new_version, change, origin })
write_feeds()
return { 1, new_version, redis.call('HGET', key, 'changes') }
