-- Take out of logs what has ended by itself or is older than its retention. ARGV[1]: packed {now ms or 0
-- for the server's clock, budget, least life of a record, {{base, keep, {name, keep, ...}}, ...}}: how long
-- (ms, -1 for ever) the log's tenant keeps a category, by its name or its beginning (ending in a dot), else
-- everything. A base `s/<tenant>` is the index of what the tenant has sent: it ends with the longest of these
-- times, and its records follow the rules when they change. A call looks at no more entries than the budget;
-- what it leaves is due again. Answers the users whose slots are to be tidied.
--
-- What retention took above the floor is in `<log>/retired`: a hole for the counts, a gap for who comes
-- back. The floor moves over it as soon as nothing live lies below.

--- @include "tag"
--- @include "now_ms"
--- @include "expire"
--- @include "publish"
--- @include "remove_entry"

-- Rules may change: every log is looked at once an hour.
local HOUR = 3600000
local WEEK = 7 * 24 * HOUR
local KEPT_HOLES = 10000
local STEP = 1000

local request = cmsgpack.unpack(ARGV[1])
local now = request[1] > 0 and request[1] or now_ms()
local budget = request[2]

local function number(value) return string.format('%.0f', value) end

local function keep_of(rule, category)
  for i = 1, #rule[3], 2 do
    local name = rule[3][i]
    if category == name or (string.sub(name, -1) == '.' and string.sub(category, 1, #name) == name) then
      return rule[3][i + 1]
    end
  end
  return rule[2]
end

-- Every time that something of this tenant is kept, but for ever.
local function terms_of(rule)
  local terms, known = {}, { [-1] = true }
  local function add(keep)
    if not known[keep] then
      known[keep] = true
      terms[#terms + 1] = keep
    end
  end
  add(rule[2])
  for i = 2, #rule[3], 2 do add(rule[3][i]) end
  return terms
end

-- An id begins with its time (RFC 9562), and a content with its id.
local function time_of(content)
  return tonumber(string.sub(content, 8, 15) .. string.sub(content, 17, 20), 16) or now
end

local function category_of(fields)
  for i = 3, #fields, 2 do
    if fields[i] == 'c' then return fields[i + 1] end
  end
  return ''
end

-- Take out what is kept this long and older, from the cursor on. Answers the cursor - nothing kept this long
-- is left up to it - and when the next one is due, or nothing when the budget came first.
local function retire(base, rule, keep, cursor, gone)
  local key = tag .. '/' .. base
  local count = 1
  while budget > 0 do
    count = math.min(count * 4, budget)
    local entries = redis.call('XRANGE', key .. '/log', number(cursor + 1), '+', 'COUNT', count)
    for _, entry in ipairs(entries) do
      local position = tonumber(string.match(entry[1], '^%d+'))
      if keep_of(rule, category_of(entry[2])) == keep then
        local due = time_of(entry[2][2]) + keep
        if due > now then return cursor, due end
        remove_entry(base, position)
        -- The record of a copy goes with it, so nobody will ask for the receipts.
        redis.call('HDEL', key .. '/ended', string.sub(entry[2][2], 8, 43))
        gone[#gone + 1] = position
      end
      cursor = position
      budget = budget - 1
    end
    if #entries < count then return cursor, now + keep end
  end
  return cursor
end

-- Retention by each of the tenant's terms. Answers when the next entry is due, or nothing when there is more.
local function retire_all(base, rule, gone)
  local key = tag .. '/' .. base .. '/swept'
  local terms = terms_of(rule)
  local single = #terms == 1 and #rule[3] == 0
  local next_due = now + HOUR
  if not single then
    -- Cursors hold as long as every category is kept by the same term.
    local names = cjson.encode({ rule[2], rule[3] })
    if redis.call('HGET', key, 'rules') ~= names then
      redis.call('DEL', key)
      redis.call('HSET', key, 'rules', names)
    end
  end
  for _, keep in ipairs(terms) do
    local from = not single and tonumber(redis.call('HGET', key, number(keep))) or 0
    local cursor, due = retire(base, rule, keep, from, gone)
    if not single and cursor > from then redis.call('HSET', key, number(keep), number(cursor)) end
    if not due then return nil end
    next_due = math.min(next_due, due)
  end
  return next_due
end

-- Keep what retention took apart from what was recalled or ended by itself. Answers how many changes there are.
local function note(base, gone)
  if #gone == 0 then return 0 end
  local key = tag .. '/' .. base
  table.sort(gone)
  local pairs_of, fields = {}, {}
  for i, position in ipairs(gone) do
    local text = number(position)
    pairs_of[2 * i - 1], pairs_of[2 * i] = text, text
    for _, kind in ipairs({ 's', 'r', 'a' }) do fields[#fields + 1] = kind .. text end
  end
  redis.call('ZADD', key .. '/retired', unpack(pairs_of))
  if string.sub(base, 1, 2) == 'u/' then redis.call('HDEL', key .. '/times/' .. base, unpack(fields)) end
  local retired = tonumber(redis.call('HGET', key, 'retired') or '0')
  redis.call('HSET', key, 'retired', number(math.max(retired, gone[#gone])))
  return redis.call('HINCRBY', key, 'changes', #gone)
end

-- Move the floor up to the first live entry. Answers it, and whether there is more to move.
local function lift(base)
  local key = tag .. '/' .. base
  local known = redis.call('HMGET', key, 'head', 'floor')
  local floor = tonumber(known[2] or '0')
  local first = redis.call('XRANGE', key .. '/log', '-', '+', 'COUNT', 1)[1]
  local target = tonumber(known[1] or '0')
  if first then target = tonumber(string.match(first[1], '^%d+')) - 1 end
  if target <= floor then return floor, false end
  local passed = redis.call('ZRANGE', key .. '/retired', '-inf', number(target), 'BYSCORE', 'LIMIT', 0, STEP)
  local more = #passed == STEP
  if more then target = tonumber(passed[STEP]) end
  if #passed > 0 then
    redis.call('ZREM', key .. '/holes', unpack(passed))
    redis.call('ZREM', key .. '/retired', unpack(passed))
  end
  redis.call('HSET', key, 'floor', number(target))
  return target, more
end

-- Forget the oldest of too many holes below the floor. Answers whether there are more.
local function trim_holes(base, floor)
  local holes = tag .. '/' .. base .. '/holes'
  local extra = redis.call('ZCOUNT', holes, '-inf', number(floor)) - KEPT_HOLES
  if extra > 0 then redis.call('ZREMRANGEBYRANK', holes, 0, math.min(extra, STEP) - 1) end
  return extra > STEP
end

-- Answers when the log is due again, or nothing when there is more to do now.
local function sweep(base, rule)
  local key = tag .. '/' .. base
  local ended = expire(base, budget)
  budget = budget - ended
  if budget <= 0 then return nil end
  local gone = {}
  local due = retire_all(base, rule, gone)
  local changes = note(base, gone)
  local floor, more = lift(base)
  if #gone > 0 then publish(base, { 'x', base, gone, changes, floor, gone[#gone] }) end
  if trim_holes(base, floor) or more or not due then return nil end
  local expiring = redis.call('ZRANGE', key .. '/expiring', 0, 0, 'WITHSCORES')[2]
  return math.min(due, tonumber(expiring or due))
end

-- Give a record, and what belongs to it, the life that the rules say.
local function renew(record, keep)
  local accepted = tonumber(redis.call('GETRANGE', record, 1, 13))
  if not accepted then return end
  for _, key in ipairs({ record, record .. '/plan', record .. '/receipts' }) do
    if keep == -1 then
      redis.call('PERSIST', key)
    else
      redis.call('PEXPIREAT', key, number(accepted + math.max(keep, request[3])))
    end
  end
end

-- Bring the records of everything sent so far under rules that are not those of the last time. Answers
-- false when there is more.
local function renew_all(tenant, rule)
  local index = tag .. '/sent/' .. tenant
  local names = cjson.encode({ rule[2], rule[3] })
  local known = redis.call('HMGET', index .. '/swept', 'rules', 'cursor')
  if known[1] == names and known[2] == '' then return true end
  local cursor = known[1] == names and '(' .. known[2] or '-'
  local entries = redis.call('XRANGE', index, cursor, '+', 'COUNT', budget)
  for _, entry in ipairs(entries) do
    renew(tag .. '/n/' .. tenant .. '/' .. entry[2][2], keep_of(rule, category_of(entry[2])))
  end
  local finished = #entries < budget
  redis.call('HSET', index .. '/swept', 'rules', names, 'cursor', finished and '' or entries[#entries][1])
  budget = budget - #entries
  return finished
end

local function sweep_sent(base, rule)
  local tenant = string.sub(base, 3)
  local index = tag .. '/sent/' .. tenant
  if not renew_all(tenant, rule) then return nil end
  local longest = rule[2]
  for i = 2, #rule[3], 2 do
    if longest == -1 or rule[3][i] == -1 then longest = -1 else longest = math.max(longest, rule[3][i]) end
  end
  if longest == -1 then return now + HOUR end
  local old = redis.call('XRANGE', index, '-', '(' .. number(now - longest), 'COUNT', budget)
  local ids = {}
  for i, entry in ipairs(old) do ids[i] = entry[1] end
  if #ids > 0 then redis.call('XDEL', index, unpack(ids)) end
  budget = budget - #ids
  if budget <= 0 then return nil end
  return now + HOUR
end

local function is_untidy(base)
  if string.sub(base, 1, 2) ~= 'u/' then return false end
  local key = tag .. '/' .. base
  local last = tonumber(redis.call('HGET', key, 'tidied') or '0')
  if last > now - WEEK then return false end
  redis.call('HSET', key, 'tidied', number(now))
  return last > 0
end

local untidy = {}
for _, rule in ipairs(request[4]) do
  local work = string.sub(rule[1], 1, 2) == 's/' and sweep_sent or sweep
  local due = work(rule[1], rule)
  -- One with more waits until the others that are due have had their turn.
  redis.call('ZADD', tag .. '/due', number(due or now), rule[1])
  if due and is_untidy(rule[1]) then untidy[#untidy + 1] = rule[1] end
  if budget <= 0 then break end
end
write_feeds()
return untidy
