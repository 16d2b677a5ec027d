-- Carry out what another partition's ingress asks of this one. ARGV[1]: packed {source, steps};
-- a step is {ingress id, number within it, operations}. Exactly once: what is not above the
-- mark kept for that source has been done before. Steps come in rising order.
--   {'n', bases, id, content, expires, category}  append users' own copies
--   {'m', base, group, joined, position}       the user's side of a membership
--   {'h', base, log, position}                 hide a position of a log from the user
--   {'r', base, id, late}                      take back the user's own copy
--   {'p', key, token}                          answer a probe
--   {'v', record, kind, count}                 so many more users of a compound notification
--   {'t', base, kind, positions, count, {{position, count}}}  so many more users of a set of a log's positions,
--                                              but for those whom some of them excluded

--- @include "tag"
--- @include "append_copy"
--- @include "publish_change"
--- @include "recall_entry"
--- @include "keep_former_position"
--- @include "expire"
--- @include "tree_add"

local request = cmsgpack.unpack(ARGV[1])
local source = request[1]
local applied = tag .. '/applied'
local mark = redis.call('HGET', applied, source)
local done_id, done_step = 0, 0
if mark then
  local left, right = string.match(mark, '^(%d+):(%d+)$')
  done_id, done_step = tonumber(left), tonumber(right)
end

local function membership(base, group, joined, position)
  local key = tag .. '/' .. base .. '/groups'
  local packed = redis.call('HGET', key, group)
  local intervals = packed and cmsgpack.unpack(packed) or {}
  local last = intervals[#intervals]
  local open = last and last[2] == -1
  if joined == open or (not joined and not last) then return end
  if joined then
    intervals[#intervals + 1] = { position, -1 }
  else
    last[2] = math.max(position, last[1])
    -- One that held nothing says nothing, but the log stays the user's: a version never falls.
    if last[2] == last[1] and #intervals > 1 then intervals[#intervals] = nil end
  end
  redis.call('HSET', key, group, cmsgpack.pack(intervals))
  publish_change(base, { joined and 'j' or 'l', base, position, group })
end

-- `late`: a call that makes the copy may still arrive. It will find that the copy was taken back.
local function take_back(base, id, late)
  local position = redis.call('ZSCORE', tag .. '/' .. base .. '/copies', id)
  if position then
    recall_entry(base, tonumber(position), id)
  elseif late and not redis.call('ZSCORE', tag .. '/' .. base .. '/parted', id) then
    keep_former_position(base, 0, id)
  end
end

local count = 0
for _, step in ipairs(request[2]) do
  local id, number = step[1], step[2]
  if id > done_id or (id == done_id and number > done_step) then
    for _, operation in ipairs(step[3]) do
      local kind, base = operation[1], operation[2]
      if kind == 'n' then
        for _, user in ipairs(base) do append_copy(user, operation[3], operation[4], operation[5], operation[6]) end
      elseif kind == 'm' then
        membership(base, operation[3], operation[4], operation[5])
      elseif kind == 'h' then
        local position = string.format('%.0f', operation[4])
        redis.call('ZADD', tag .. '/' .. base .. '/hidden', position, operation[3] .. '/' .. position)
        publish_change(base, { 'h', base, operation[4], operation[3] })
      elseif kind == 'r' then
        take_back(base, operation[3], operation[4])
      elseif kind == 'p' then
        redis.call('SET', tag .. '/' .. base, operation[3], 'PX', 60000)
      elseif kind == 'v' then
        local life = redis.call('PTTL', tag .. '/' .. base)
        if life ~= -2 then
          local receipts = tag .. '/' .. base .. '/receipts'
          redis.call('HINCRBY', receipts, operation[3], operation[4])
          if life > 0 then redis.call('PEXPIRE', receipts, life) end
        end
      elseif kind == 't' then
        -- What has ended by now keeps the receipts that it had.
        expire(base, 200)
        tree_add(base, operation[3], operation[4], operation[5], operation[6])
      end
      count = count + 1
    end
    done_id, done_step = id, number
  end
end
redis.call('HSET', applied, source, string.format('%.0f:%.0f', done_id, done_step))
write_feeds()
return count
