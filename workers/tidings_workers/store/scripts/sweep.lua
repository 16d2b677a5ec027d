--[[
  Carry out the retention sweep of logs: remove the entries that have expired, and those that are older than the
  retention of their tenant. A call looks at no more entries than its budget; a log with more is due again at once.

  Entries that retention removed above the floor are in `<log>/retired`. Their positions are holes for the counts, and a
  gap for a client that resumes. The floor moves over them as soon as no entry is left below them.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 now           Unix ms, 0 for the clock of the server
    2 budget        entries
    3 least_life    of a record in ms
    4 logs:
      1 base        of the log, or `s/<tenant>`: the list of what the tenant has sent. Its entries are kept for the
                    longest of these times, and its records get a new life when the rules have changed
      2 keep        how long an entry is kept in ms, -1 for ever
      3 categories  {name, ms, ...}: other times by category; a name that ends in a dot is a prefix
      4 topics      how long `s/<tenant>` keeps sends to topics
      5 archived    1: entries that are too old stay for the archive, and the log is put into `archivable`; 2: they
                    should, but there are too many, so they are removed without a copy

  A topic without an entry, which no running gateway follows, is removed.

  Returns the bases of the logs of users and topics whose other keys need tidying.
]]

--- @include "tag"
--- @include "decimal"
--- @include "end_retirement"
--- @include "expire"
--- @include "forget_accepted"
--- @include "forget_topic"
--- @include "note_removed"
--- @include "now_ms"
--- @include "overdue_bytes"
--- @include "renew_entry"
--- @include "retire_entry"
--- @include "rule_text"
--- @include "visit_due"

local WEEK = 7 * 24 * HOUR
-- Sends leave their list for the archive this long before their records expire.
local LEAD = 3 * 24 * HOUR

local now, budget, least_life, logs = unpack(cmsgpack.unpack(ARGV[1]))
if now == 0 then now = now_ms() end

local batch
-- Whether the batch that is under way has an entry: the archive may have it already.
local function is_moving(base, position)
  if not batch then
    batch = {}
    local packed = redis.call('GET', tag .. '/archiving')
    local _, stage, _, logs_of_batch = unpack(packed and cmsgpack.unpack(packed) or { '', 'moving', 0, {} })
    for _, log in ipairs(logs_of_batch) do
      local positions = {}
      for _, place in ipairs(log[#log]) do positions[stage == 'moving' and place[1] or place] = true end
      batch[log[1]] = positions
    end
  end
  return batch[base] and batch[base][position]
end

-- Returns when the log is due again, nil when there is more to do now.
local function sweep_log(base, rule)
  budget = budget - expire(base, budget)
  if budget <= 0 then return nil end
  local retired, waits = {}, false
  local due, cursors
  due, budget, cursors = visit_due(base, rule, least_life, now, budget, function(position, _, id, accepted, keep)
    if rule[5] == 1 or (rule[5] == 2 and is_moving(base, position)) then
      waits = true
      return false
    end
    retire_entry(base, position, id, accepted, keep, least_life, now, false)
    -- The record of a copy is removed at the same age, so its receipts are not read again.
    redis.call('HDEL', tag .. '/' .. base .. '/ended', id)
    retired[#retired + 1] = position
    return true
  end)
  if #cursors > 0 then redis.call('HSET', tag .. '/' .. base .. '/swept', unpack(cursors)) end
  if rule[5] == 2 then
    if due and not waits then redis.call('ZREM', tag .. '/archivable', base) else waits = true end
  end
  if rule[5] == 2 and #retired > 0 then
    -- For a gap: not everything is in the archive.
    redis.call('HSET', tag .. '/archived/' .. string.match(base, '^./([^/]+)'), 'uncopied', decimal(now))
  end
  if waits then redis.call('ZADD', tag .. '/archivable', overdue_bytes(base, rule, now), base) end
  if end_retirement(base, retired) or not due then return nil end
  local expiring = redis.call('ZRANGE', tag .. '/' .. base .. '/expiring', 0, 0, 'WITHSCORES')[2]
  return math.min(due, tonumber(expiring or due))
end

-- Renew the records of all that was sent so far, when the rule has changed. Returns false when there is more to do.
local function renew_records(tenant, rule)
  local sent = tag .. '/sent/' .. tenant
  local text = rule_text(rule, least_life)
  local known_text, cursor = unpack(redis.call('HMGET', sent .. '/swept', 'rules', 'cursor'))
  if known_text == text and cursor == '' then return true end
  local from = known_text == text and '(' .. cursor or '-'
  local entries = redis.call('XRANGE', sent, from, '+', 'COUNT', budget)
  local finished, last = #entries < budget, ''
  for i, entry in ipairs(entries) do
    budget = budget - renew_entry(tenant, rule, least_life, entry[2])
    last = entry[1]
    if budget <= 0 then
      finished = finished and i == #entries
      break
    end
  end
  redis.call('HSET', sent .. '/swept', 'rules', text, 'cursor', finished and '' or last)
  return finished
end

-- Remove the sends to topics whose records are too old; a cursor passes the other entries once. Returns false when there
-- is more to do.
local function retire_sends_to_topics(tenant, rule)
  local sent = tag .. '/sent/' .. tenant
  local cursor = redis.call('HGET', sent .. '/swept', 'topics')
  local until_ms = decimal(now - math.max(rule[4], least_life))
  local entries = redis.call('XRANGE', sent, cursor and '(' .. cursor or '-', '(' .. until_ms, 'COUNT', budget)
  local ids = {}
  for _, entry in ipairs(entries) do
    if is_to_topics(entry[2]) then ids[#ids + 1] = entry[1] end
  end
  if #ids > 0 then
    redis.call('XDEL', sent, unpack(ids))
    if rule[5] == 1 then note_removed(tenant, ids[#ids]) end
  end
  if #entries > 0 then redis.call('HSET', sent .. '/swept', 'topics', entries[#entries][1]) end
  local finished = #entries < budget
  budget = budget - #entries
  return finished
end

-- Returns when the list is due again, nil when there is more to do now.
local function sweep_sent(base, rule)
  local tenant = string.sub(base, 3)
  if not renew_records(tenant, rule) or budget <= 0 then return nil end
  local _, longest, categories = unpack(rule)
  for i = 2, #categories, 2 do
    if longest == -1 or categories[i] == -1 then longest = -1 else longest = math.max(longest, categories[i]) end
  end
  forget_accepted(tenant, now, longest == -1 and -1 or math.max(longest, least_life))
  local sent = tag .. '/sent/' .. tenant
  if not retire_sends_to_topics(tenant, rule) then return nil end
  if longest == -1 then return now + HOUR end
  local lead = rule[5] == 1 and LEAD or 0
  local old = redis.call('XRANGE', sent, '-', '(' .. decimal(now - longest + lead), 'COUNT', budget)
  if rule[5] == 1 and #old > 0 then
    redis.call('ZADD', tag .. '/archivable', 0, base)
    return now + HOUR
  end
  local ids = {}
  for i, entry in ipairs(old) do ids[i] = entry[1] end
  if #ids > 0 then redis.call('XDEL', sent, unpack(ids)) end
  if rule[5] == 2 then redis.call('ZREM', tag .. '/archivable', base) end
  budget = budget - #ids
  if budget <= 0 then return nil end
  return now + HOUR
end

-- Whether the other keys of a user or topic need tidying: once a week, and not when the log is swept for the first time.
local function needs_tidying(base)
  local kind = string.sub(base, 1, 2)
  if kind ~= 'u/' and kind ~= 't/' then return false end
  local key = tag .. '/' .. base
  local last = tonumber(redis.call('HGET', key, 'tidied') or '0')
  if last > now - WEEK then return false end
  redis.call('HSET', key, 'tidied', now)
  return last > 0
end

local untidy = {}
for _, rule in ipairs(logs) do
  local base = rule[1]
  local kind = string.sub(base, 1, 2)
  if kind ~= 't/' or not forget_topic(base) then
    local due
    if kind == 's/' then due = sweep_sent(base, rule) else due = sweep_log(base, rule) end
    -- A log with more to do waits until the other logs that are due had their turn.
    redis.call('ZADD', tag .. '/due', due or now, base)
    if due and needs_tidying(base) then untidy[#untidy + 1] = base end
    if budget <= 0 then break end
  end
end
write_feeds()
return untidy
