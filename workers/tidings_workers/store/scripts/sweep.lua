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

  A topic without an entry, which no running gateway follows, is removed.

  Returns the bases of the logs of users and topics whose other keys need tidying.
]]

--- @include "tag"
--- @include "accepted_key"
--- @include "category_of"
--- @include "decimal"
--- @include "now_ms"
--- @include "entry_id"
--- @include "expire"
--- @include "forget_accepted"
--- @include "forget_topic"
--- @include "id_time"
--- @include "kept_for"
--- @include "publish"
--- @include "remove_entry"
--- @include "renew_entry"

-- Each log is swept once an hour, because rules may change.
local HOUR = 3600000
local WEEK = 7 * 24 * HOUR
local KEPT_HOLES = 10000
-- Most positions that one call removes from the holes of a log.
local STEP = 1000

local now, budget, least_life, logs = unpack(cmsgpack.unpack(ARGV[1]))
if now == 0 then now = now_ms() end

-- Every time for which entries of the tenant are kept, without -1.
local function times_of(rule)
  local _, keep, categories = unpack(rule)
  local times, known = {}, { [-1] = true }
  local function add(time)
    if not known[time] then
      known[time] = true
      times[#times + 1] = time
    end
  end
  add(keep)
  for i = 2, #categories, 2 do add(categories[i]) end
  return times
end

-- The rule as text, to notice when it changes, and for keep_record.lua.
local function text_of(rule) return cjson.encode({ rule[2], rule[3], least_life, rule[4] }) end

-- Remove the facts of a plain send: it gets no record when its entry is removed.
local function forget_plain(base, id)
  redis.call('HDEL', accepted_key(string.match(base, '^./([^/]+)'), id), id)
end

-- Remove the entries above the cursor that were kept for `keep` ms, and add their positions to `retired`. Returns the
-- cursor (no such entry is left up to it) and when the next one is due, nil when the budget was used up first.
local function retire(base, rule, keep, cursor, retired)
  local key = tag .. '/' .. base
  local count = 1
  while budget > 0 do
    count = math.min(count * 4, budget)
    local entries = redis.call('XRANGE', key .. '/log', cursor + 1, '+', 'COUNT', count)
    for _, entry in ipairs(entries) do
      local position, fields = tonumber(string.match(entry[1], '^%d+')), entry[2]
      if kept_for(rule[2], rule[3], category_of(fields)) == keep then
        local id = entry_id(fields)
        local accepted = id_time(id) or now
        if accepted + keep > now then return cursor, accepted + keep end
        if accepted + math.max(keep, least_life) <= now then forget_plain(base, id) end
        remove_entry(base, position)
        -- The record of a copy is removed at the same age, so its receipts are not read again.
        redis.call('HDEL', key .. '/ended', id)
        retired[#retired + 1] = position
      end
      cursor = position
      budget = budget - 1
    end
    if #entries < count then return cursor, now + keep end
  end
  return cursor
end

-- Retire entries for each of the tenant's times. Returns when the next entry is due, nil when there is more to do.
local function retire_all(base, rule, retired)
  local cursors = tag .. '/' .. base .. '/swept'
  local times = times_of(rule)
  -- With one time for all entries, those at the start of the log are the oldest: no cursor is needed.
  local single = #times == 1 and #rule[3] == 0
  local next_due = now + HOUR
  if not single then
    -- A cursor is valid as long as no category is kept for another time.
    local text = text_of(rule)
    if redis.call('HGET', cursors, 'rules') ~= text then
      redis.call('DEL', cursors)
      redis.call('HSET', cursors, 'rules', text)
    end
  end
  for _, keep in ipairs(times) do
    local from = not single and tonumber(redis.call('HGET', cursors, keep)) or 0
    local cursor, due = retire(base, rule, keep, from, retired)
    if not single and cursor > from then redis.call('HSET', cursors, keep, cursor) end
    if not due then return nil end
    next_due = math.min(next_due, due)
  end
  return next_due
end

-- Keep retired positions apart from other holes, and remove the times of marks there. Returns the log's changes.
local function keep_retired(base, retired)
  if #retired == 0 then return 0 end
  local key = tag .. '/' .. base
  table.sort(retired)
  local members, fields = {}, {}
  for i, position in ipairs(retired) do
    local number = decimal(position)
    members[2 * i - 1], members[2 * i] = number, number
    for _, kind in ipairs({ 's', 'r', 'a', 'u' }) do fields[#fields + 1] = kind .. number end
  end
  redis.call('ZADD', key .. '/retired', unpack(members))
  if string.sub(base, 1, 2) == 'u/' then redis.call('HDEL', key .. '/times/' .. base, unpack(fields)) end
  local last = tonumber(redis.call('HGET', key, 'retired') or '0')
  redis.call('HSET', key, 'retired', math.max(last, retired[#retired]))
  return redis.call('HINCRBY', key, 'changes', #retired)
end

-- Raise the floor to just below the first entry. Returns the floor, and whether it has to be raised further.
local function raise_floor(base)
  local key = tag .. '/' .. base
  local known = redis.call('HMGET', key, 'head', 'floor')
  local floor = tonumber(known[2] or '0')
  local first = redis.call('XRANGE', key .. '/log', '-', '+', 'COUNT', 1)[1]
  local target = tonumber(known[1] or '0')
  if first then target = tonumber(string.match(first[1], '^%d+')) - 1 end
  if target <= floor then return floor, false end
  local passed = redis.call('ZRANGE', key .. '/retired', '-inf', target, 'BYSCORE', 'LIMIT', 0, STEP)
  local more = #passed == STEP
  if more then target = tonumber(passed[STEP]) end
  if #passed > 0 then
    redis.call('ZREM', key .. '/holes', unpack(passed))
    redis.call('ZREM', key .. '/retired', unpack(passed))
  end
  redis.call('HSET', key, 'floor', target)
  return target, more
end

-- Remove the oldest of too many holes below the floor. Returns whether there are more.
local function trim_holes(base, floor)
  local holes = tag .. '/' .. base .. '/holes'
  local extra = redis.call('ZCOUNT', holes, '-inf', floor) - KEPT_HOLES
  if extra > 0 then redis.call('ZREMRANGEBYRANK', holes, 0, math.min(extra, STEP) - 1) end
  return extra > STEP
end

-- Returns when the log is due again, nil when there is more to do now.
local function sweep_log(base, rule)
  budget = budget - expire(base, budget)
  if budget <= 0 then return nil end
  local retired = {}
  local due = retire_all(base, rule, retired)
  local changes = keep_retired(base, retired)
  local floor, more = raise_floor(base)
  if #retired > 0 then publish(base, { 'x', base, retired, changes, floor, retired[#retired] }) end
  if trim_holes(base, floor) or more or not due then return nil end
  local expiring = redis.call('ZRANGE', tag .. '/' .. base .. '/expiring', 0, 0, 'WITHSCORES')[2]
  return math.min(due, tonumber(expiring or due))
end

-- Renew the records of all that was sent so far, when the rule has changed. Returns false when there is more to do.
local function renew_records(tenant, rule)
  local sent = tag .. '/sent/' .. tenant
  local text = text_of(rule)
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
local function retire_sends_to_topics(sent, rule)
  local cursor = redis.call('HGET', sent .. '/swept', 'topics')
  local until_ms = decimal(now - math.max(rule[4], least_life))
  local entries = redis.call('XRANGE', sent, cursor and '(' .. cursor or '-', '(' .. until_ms, 'COUNT', budget)
  local ids = {}
  for _, entry in ipairs(entries) do
    if is_to_topics(entry[2]) then ids[#ids + 1] = entry[1] end
  end
  if #ids > 0 then redis.call('XDEL', sent, unpack(ids)) end
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
  if not retire_sends_to_topics(sent, rule) then return nil end
  if longest == -1 then return now + HOUR end
  local old = redis.call('XRANGE', sent, '-', '(' .. decimal(now - longest), 'COUNT', budget)
  local ids = {}
  for i, entry in ipairs(old) do ids[i] = entry[1] end
  if #ids > 0 then redis.call('XDEL', sent, unpack(ids)) end
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
