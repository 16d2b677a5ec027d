--[[
  Apply the steps of another partition's ingress to this one, once each: the applied mark of that partition tells which
  steps were applied before.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 source  the partition with the ingress
    2 steps   {id, number, operations} each, in rising order; `id` is that of the ingress entry

  An operation is a list that begins with its kind:
    {'n', bases, id, content, expires, category}  append copies to these users' logs
    {'m', base, group, joined, position, number}  the user joined or left the group at this position of its log;
                                                  `number` is that of the change by the group's clock, or 0
    {'h', base, log_base, position}               hide a position of a log from the user
    {'r', base, id, late}                         recall the user's copy; `late`: a call that makes it may still arrive
    {'p', key, token}                             answer a probe
    {'v', record, kind, count}                    add users to the receipts of a compound notification
    {'t', base, kind, positions, count, fewer}    add users to the receipts of a set of positions; `fewer`, {{position,
                                                  count}, ...}, are the users whom single positions exclude
  The kind of a receipt is 'delivered', 'seen', 'read', or 'action:' and the id of an action, which users have used.

  Returns the number of operations that were applied now.
]]

--- @include "tag"
--- @include "decimal"
--- @include "append_copies"
--- @include "count_action"
--- @include "publish_change"
--- @include "recall_entry"
--- @include "keep_former_position"
--- @include "expire"
--- @include "tree_add"

local EXPIRED_PER_OPERATION = 200
local PROBE_MS = 60000

local source, steps = unpack(cmsgpack.unpack(ARGV[1]))
local applied = tag .. '/applied'
local done_id, done_number = 0, 0
local mark = redis.call('HGET', applied, source)
if mark then
  local id, number = string.match(mark, '^(%d+):(%d+)$')
  done_id, done_number = tonumber(id), tonumber(number)
end

local function change_membership(base, group, joined, position, number)
  local key = tag .. '/' .. base .. '/groups'
  local packed = redis.call('HGET', key, group)
  local intervals = packed and cmsgpack.unpack(packed) or {}
  local last = intervals[#intervals]
  local open = last and last[2] < 0
  if joined == open or (not joined and not last) then return end
  if joined then
    intervals[#intervals + 1] = { position, -math.max(number, 1) }
  else
    last[2] = math.max(position, last[1])
    -- An empty interval is removed, but the last one stays: without the log the counts version would fall.
    if last[2] == last[1] and #intervals > 1 then intervals[#intervals] = nil end
  end
  redis.call('HSET', key, group, cmsgpack.pack(intervals))
  local item = { joined and 'j' or 'l', base, position, group }
  publish_change(base, item)
  item[#item + 1] = number
end

local function hide(base, log_base, position)
  local number = decimal(position)
  redis.call('ZADD', tag .. '/' .. base .. '/hidden', number, log_base .. '/' .. number)
  publish_change(base, { 'h', base, position, log_base })
end

local function recall_copy(base, id, late)
  local position = redis.call('ZSCORE', tag .. '/' .. base .. '/copies', id)
  if position then
    recall_entry(base, tonumber(position), id)
  elseif late and not redis.call('ZSCORE', tag .. '/' .. base .. '/parted', id) then
    -- A call that makes the copy finds this position and makes none.
    keep_former_position(base, 0, id)
  end
end

local function add_receipts(record, kind, count)
  local life = redis.call('PTTL', tag .. '/' .. record)
  if life == -2 then return end
  local receipts = tag .. '/' .. record .. '/receipts'
  redis.call('HINCRBY', receipts, kind, count)
  if life > 0 then redis.call('PEXPIRE', receipts, life) end
end

local function apply(operation)
  local kind = operation[1]
  if kind == 'n' then
    local _, bases, id, content, expires, category = unpack(operation)
    append_copies(bases, id, content, expires, category)
  elseif kind == 'm' then
    local _, base, group, joined, position, number = unpack(operation)
    change_membership(base, group, joined, position, number or 0)
  elseif kind == 'h' then
    local _, base, log_base, position = unpack(operation)
    hide(base, log_base, position)
  elseif kind == 'r' then
    local _, base, id, late = unpack(operation)
    recall_copy(base, id, late)
  elseif kind == 'p' then
    local _, key, token = unpack(operation)
    redis.call('SET', tag .. '/' .. key, token, 'PX', PROBE_MS)
  elseif kind == 'v' then
    local _, record, receipt, count = unpack(operation)
    add_receipts(record, receipt, count)
  elseif kind == 't' then
    local _, base, receipt, positions, count, fewer = unpack(operation)
    -- Entries that have expired by now keep the receipts that they had.
    expire(base, EXPIRED_PER_OPERATION)
    local action = string.match(receipt, '^action:(.*)$')
    if action then
      count_action(base, action, positions[2], count)
    else
      tree_add(base, receipt, positions, count, fewer)
    end
  end
end

local count = 0
for _, step in ipairs(steps) do
  local id, number, operations = unpack(step)
  if id > done_id or (id == done_id and number > done_number) then
    for _, operation in ipairs(operations) do apply(operation) end
    count = count + #operations
    done_id, done_number = id, number
  end
end
redis.call('HSET', applied, source, decimal(done_id) .. ':' .. decimal(done_number))
write_feeds()
return count
