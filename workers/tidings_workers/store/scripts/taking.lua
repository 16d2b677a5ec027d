-- Shared by the scripts that count what became of entries, or take entries out of logs. It follows append.lua.

-- Where copies were that are gone: for moves that wait in an ingress, and for calls that repeat a copy.
local KEPT_PARTED = 1000
local PARTED_MS = 24 * 3600000

-- Receipts of a log that many read: per kind ('delivered', 'seen', 'read') a Fenwick tree in a hash. Users
-- are counted over spans of positions, and asked for at one; both touch log2(n) nodes. `n`, a power of two,
-- is kept in the tree: it doubles by copying one node, because nothing lies above it.
local TREE = 1024

local function low_bit(i)
  local bit = 1
  while i % (bit * 2) == 0 do bit = bit * 2 end
  return bit
end

local function tree_key(base, kind) return tag .. '/' .. base .. '/receipts/' .. kind end

-- The tree's size, made large enough for a position.
local function tree_size(key, at)
  local size = tonumber(redis.call('HGET', key, 'n') or TREE)
  while at > size do
    local whole = redis.call('HGET', key, string.format('%.0f', size))
    size = size * 2
    if whole then redis.call('HSET', key, string.format('%.0f', size), whole) end
    redis.call('HSET', key, 'n', string.format('%.0f', size))
  end
  return size
end

-- So many users more for the positions of a set, and fewer for some of them: {{position, count}, ...}.
-- What lies close together cancels out in the nodes above it, so each node is written once, if at all.
local function tree_add(base, kind, bounds, count, fewer)
  local key = tree_key(base, kind)
  local size = tree_size(key, bounds[#bounds] + 1)
  local sums = {}
  local function point(at, more)
    while at <= size do
      sums[at] = (sums[at] or 0) + more
      at = at + low_bit(at)
    end
  end
  for i = 1, #bounds, 2 do
    point(bounds[i] + 1, count)
    point(bounds[i + 1] + 1, -count)
  end
  for _, row in ipairs(fewer) do
    point(row[1], -row[2])
    point(row[1] + 1, row[2])
  end
  for node, sum in pairs(sums) do
    if sum ~= 0 then redis.call('HINCRBY', key, string.format('%.0f', node), string.format('%.0f', sum)) end
  end
end

local function tree_get(base, kind, position)
  local key = tree_key(base, kind)
  -- Above the tree's size there is nothing but what ended below it.
  local size = tonumber(redis.call('HGET', key, 'n') or TREE)
  if position > size then position = size end
  local sum = 0
  while position > 0 do
    sum = sum + tonumber(redis.call('HGET', key, string.format('%.0f', position)) or '0')
    position = position - low_bit(position)
  end
  return sum
end

-- Sets of positions are flat lists of boundaries, as in intervals.py: every second one ends an interval
-- after < p <= up_to.
local function inside(bounds, position)
  local before = 0
  for _, bound in ipairs(bounds) do
    if bound >= position then break end
    before = before + 1
  end
  return before % 2 == 1
end

-- Put after < p <= up_to into a set that has nothing above `after` but what begins there or before.
local function extend(bounds, after, up_to)
  local n = #bounds
  if n > 0 and after <= bounds[n] then
    bounds[n] = math.max(bounds[n], up_to)
  else
    bounds[n + 1], bounds[n + 2] = after, up_to
  end
end

-- What of these spans {{after, up_to}, ...} is not in the set, and the set with them in it. Both in time that
-- grows with their lengths, not with the product: a user may have thousands of gaps.
local function add_spans(bounds, spans)
  table.sort(spans, function(a, b) return a[1] < b[1] end)
  local fresh, reach, at = {}, 0, 1
  for _, span in ipairs(spans) do
    local after, up_to = math.max(span[1], reach), span[2]
    while at < #bounds and bounds[at + 1] <= after do at = at + 2 end
    local i = at
    while i < #bounds and bounds[i] < up_to do
      if bounds[i] > after then fresh[#fresh + 1] = { after, bounds[i] } end
      after, i = math.max(after, bounds[i + 1]), i + 2
    end
    if after < up_to then fresh[#fresh + 1] = { after, up_to } end
    reach = math.max(reach, up_to)
  end
  local whole, i, j = {}, 1, 1
  while i < #bounds or j <= #fresh do
    if j > #fresh or (i < #bounds and bounds[i] < fresh[j][1]) then
      extend(whole, bounds[i], bounds[i + 1])
      i = i + 2
    else
      extend(whole, fresh[j][1], fresh[j][2])
      j = j + 1
    end
  end
  return fresh, whole
end

-- What a user's devices have of a log: a set per log, in the user's slot.
local function delivered_to(user, log)
  local packed = redis.call('HGET', tag .. '/' .. user .. '/delivered', log)
  return packed and cjson.decode(packed) or {}
end

-- Note that spans of a log are with the user; answers the parts that had not been.
local function deliver(user, log, spans)
  local fresh, whole = add_spans(delivered_to(user, log), spans)
  if #fresh > 0 then
    redis.call('HSET', tag .. '/' .. user .. '/delivered', log, cjson.encode(whole))
  end
  return fresh
end

-- Whether moves over this part of a log have to be counted anywhere: in the own log only compound copies
-- do, what is direct is derived from the user's own state.
local function counts_somewhere(user, log, part)
  return user ~= log or redis.call('ZCOUNT', tag .. '/' .. log .. '/copies',
    '(' .. string.format('%.0f', part[1]), string.format('%.0f', part[2])) > 0
end

-- How far one position of the user's own log came: 0 or 1 per kind. The state is described in state.py.
local function own_receipts(base, position)
  local packed = redis.call('HGET', tag .. '/' .. base .. '/state', base)
  local state = packed and cjson.decode(packed)
  return {
    inside(delivered_to(base, base), position) and 1 or 0,
    state and inside(state.ever_seen or {}, position) and 1 or 0,
    state and inside(state.ever_read or {}, position) and 1 or 0,
  }
end

-- The receipts of one position: users whom it was delivered to, who saw, who read it.
local function receipts(base, position)
  if string.sub(base, 1, 2) == 'u/' then return own_receipts(base, position) end
  return {
    tree_get(base, 'delivered', position), tree_get(base, 'seen', position), tree_get(base, 'read', position),
  }
end

-- Keep for a day where a user's copy was that is no longer in the log; position 0 where there was none.
local function part(base, position, id)
  local parted = tag .. '/' .. base .. '/parted'
  redis.call('ZADD', parted, position, id)
  redis.call('ZREMRANGEBYRANK', parted, 0, -KEPT_PARTED - 1)
  redis.call('PEXPIRE', parted, PARTED_MS)
end

-- Take one entry out of a log: gone for readers, the index and the counts. Its receipts stay what they are.
-- One that has ended by itself leaves its time and category in `holes` ("position|ms|category"), for who was
-- away meanwhile. Answers false when it was gone already. Whoever calls this tells the gateways.
local function take_out(base, position, ended)
  local key = tag .. '/' .. base
  local entry = string.format('%.0f', position)
  redis.call('ZREM', key .. '/expiring', entry)
  local found = redis.call('XRANGE', key .. '/log', entry, entry)[1]
  if not found then return false end
  local fields = found[2]
  local id = string.sub(fields[2], 8, 43)
  local tenant = string.match(base, '^./([^/]+)')
  local record = tag .. '/n/' .. tenant .. '/' .. id
  local counts = receipts(base, position)
  local life = redis.call('PTTL', record)
  local own = string.sub(base, 1, 2) == 'u/'
  -- For the receipts of a copy, and for erasing the record of what was this user's alone.
  if own then redis.call('HSET', key .. '/ended', id, cjson.encode(counts)) end
  if own and redis.call('ZREM', key .. '/copies', id) == 1 then
    -- What its user did with it may still be on its way to the record.
    part(base, entry, id)
  elseif life ~= -2 then
    redis.call('HSET', record .. '/receipts', 'delivered', counts[1], 'seen', counts[2], 'read', counts[3])
    if life > 0 then redis.call('PEXPIRE', record .. '/receipts', life) end
  end
  local category = ''
  for i = 3, #fields, 2 do
    if fields[i] == 'c' then
      category = fields[i + 1]
      redis.call('ZREM', key .. '/in/' .. category, entry)
      if redis.call('EXISTS', key .. '/in/' .. category) == 0 then
        redis.call('ZREM', key .. '/categories', category)
      end
    elseif fields[i] == 'e' then
      redis.call('ZREM', key .. '/excludes', entry)
    end
  end
  redis.call('XDEL', key .. '/log', entry .. '-0')
  if ended then
    local at = tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16) or 0
    redis.call('ZADD', key .. '/holes', entry, string.format('%s|%.0f|%s', entry, at, category))
  else
    redis.call('ZADD', key .. '/holes', entry, entry)
  end
  return true
end

-- Recall one position.
local function remove(base, position, id)
  if take_out(base, position) then change(base, { 'r', base, position, id }) end
end

-- Take out what has ended by itself, `limit` positions at most. Answers how many.
local function expire_due(base, limit)
  local key = tag .. '/' .. base
  local due = redis.call('ZRANGE', key .. '/expiring', '-inf', string.format('%.0f', now_ms()), 'BYSCORE',
    'LIMIT', 0, limit)
  local gone = {}
  for _, entry in ipairs(due) do
    if take_out(base, tonumber(entry), true) then gone[#gone + 1] = tonumber(entry) end
  end
  if #gone > 0 then
    route(base, { 'x', base, gone, redis.call('HINCRBY', key, 'changes', #gone) })
  end
  return #due
end

-- For who counts: take out what has ended, but not so much that others wait. Answers what is left of it.
local function expire_some(base)
  if expire_due(base, 200) < 200 then return {} end
  return redis.call('ZRANGE', tag .. '/' .. base .. '/expiring', '-inf', string.format('%.0f', now_ms()), 'BYSCORE')
end
