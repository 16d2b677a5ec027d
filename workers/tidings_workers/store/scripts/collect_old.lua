--[[
  Begin a batch: read entries that are older than the retention of their tenant, for the archive. They stay in their logs
  until remove_archived.lua. Their positions are in the key `archiving` until the batch has ended.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 now           Unix ms, 0 for the clock of the server
    2 budget        entries
    3 least_life    of a record in ms
    4 token         of the batch
    5 logs:
      1 base        of the log
      2 keep        how long an entry is kept in ms, -1 for ever
      3 categories  {name, ms, ...}: other times by category; a name that ends in a dot is a prefix
      4 topics      as in sweep.lua
      5 archived    as in sweep.lua

  Returns {batch} when there is a batch that has not ended: the text of `archiving`. Otherwise {'', logs}, with a list per
  log that has such entries: {base, state as JSON or '', delivered positions as JSON or '', entries}. An entry is
  {position, fields, facts of a plain send or '', {delivered, seen, read}, used actions as JSON, times of seen, read and
  archived, time and id of the used action}; of these times, those that are not known are ''.
]]

--- @include "tag"
--- @include "accepted_key"
--- @include "actions_used"
--- @include "decimal"
--- @include "now_ms"
--- @include "overdue_bytes"
--- @include "receipts"
--- @include "shared_content"
--- @include "visit_due"

local now, budget, least_life, token, logs = unpack(cmsgpack.unpack(ARGV[1]))
if now == 0 then now = now_ms() end
local unfinished = redis.call('GET', tag .. '/archiving')
if unfinished then return { unfinished } end

local contents = {}

-- Give an entry that refers to a shared content the content itself.
local function resolve(tenant, fields)
  if fields[1] ~= 'r' then return end
  local key = shared_content(tenant, fields[2])
  contents[key] = contents[key] or redis.call('HGET', key, 'n')
  fields[1], fields[2] = 'n', contents[key]
end

local function entry_of(base, tenant, position, fields, id)
  local key, number = tag .. '/' .. base, decimal(position)
  local times = { false, false, false, false }
  if string.sub(base, 1, 2) == 'u/' then
    times = redis.call('HMGET', key .. '/times/' .. base, 's' .. number, 'r' .. number, 'a' .. number, 'u' .. number)
  end
  resolve(tenant, fields)
  return {
    position, fields, redis.call('HGET', accepted_key(tenant, id), id) or '', receipts(base, position),
    cjson.encode(actions_used(base, position)), times[1] or '', times[2] or '', times[3] or '', times[4] or '',
  }
end

local batch, answer = {}, {}
-- A tenant that has no history any more: the sweep removes its entries.
local function leave_to_sweep(base)
  redis.call('ZREM', tag .. '/archivable', base)
  redis.call('ZADD', tag .. '/due', now, base)
end

local function collect(rule)
  local base = rule[1]
  local key, tenant = tag .. '/' .. base, string.match(base, '^./([^/]+)')
  local entries, places, newest = {}, {}, 0
  local due, cursors
  due, budget, cursors = visit_due(base, rule, least_life, now, budget, function(position, fields, id, accepted, keep)
    entries[#entries + 1] = entry_of(base, tenant, position, fields, id)
    places[#places + 1] = { position, keep }
    newest = math.max(newest, accepted)
    return true
  end)
  if #entries > 0 then
    redis.call('ZADD', tag .. '/archivable', 'XX', overdue_bytes(base, rule, now), base)
    local known = redis.call('HMGET', key, 'marks')
    batch[#batch + 1] = { base, known[1] or '', rule_text(rule, least_life), cursors, due or 0, newest, places }
    local own = string.sub(base, 1, 2) == 'u/'
    answer[#answer + 1] = {
      base, own and redis.call('HGET', key .. '/state', base) or '',
      own and redis.call('HGET', key .. '/delivered', base) or '', entries,
    }
  else
    if #cursors > 0 then redis.call('HSET', key .. '/swept', unpack(cursors)) end
    if due then
      redis.call('ZREM', tag .. '/archivable', base)
      redis.call('ZADD', tag .. '/due', due, base)
    end
  end
end

for _, rule in ipairs(logs) do
  if rule[5] == 0 then leave_to_sweep(rule[1]) else collect(rule) end
  if budget <= 0 then break end
end
if #batch > 0 then redis.call('SET', tag .. '/archiving', cmsgpack.pack({ token, 'moving', now, batch })) end
return { '', answer }
