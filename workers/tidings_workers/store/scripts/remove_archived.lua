--[[
  Remove the entries of a batch, which the archive has now, from their logs. A log whose user changed the state since the
  batch began keeps its entries.

  KEYS[1]  hash tag of the partition
  ARGV[1]  token of the batch
  ARGV[2]  least life of a record in ms

  Returns false when the batch has ended already. Otherwise the positions that the archive must not have: {base,
  positions} each, because the entry is still in its log, or was recalled. With any, the batch ends by end_batch.lua.
]]

--- @include "tag"
--- @include "end_retirement"
--- @include "entry_id"
--- @include "id_time"
--- @include "retire_entry"

local token, least_life = unpack(ARGV)
least_life = tonumber(least_life)
local packed = redis.call('GET', tag .. '/archiving')
if not packed then return false end
local known, stage, now, batch = unpack(cmsgpack.unpack(packed))
if known ~= token or stage ~= 'moving' then return false end

-- Remove the entries at these places. Returns the positions that were removed, and those without an entry.
local function remove_places(base, places)
  local removed, missing = {}, {}
  for _, place in ipairs(places) do
    local position, keep = unpack(place)
    local entry = redis.call('XRANGE', tag .. '/' .. base .. '/log', position, position)[1]
    if entry then
      local id = entry_id(entry[2])
      retire_entry(base, position, id, id_time(id) or now, keep, least_life, now, true)
      removed[#removed + 1] = position
    else
      missing[#missing + 1] = position
    end
  end
  return removed, missing
end

-- Note up to which time the archive has entries of the tenant.
local function note_newest(base, newest)
  local key = tag .. '/archived/' .. string.match(base, '^./([^/]+)')
  if newest > tonumber(redis.call('HGET', key, 'newest') or '0') then redis.call('HSET', key, 'newest', newest) end
end

local excess = {}
for _, log in ipairs(batch) do
  local base, version, text, cursors, due, newest, places = unpack(log)
  local key = tag .. '/' .. base
  if (redis.call('HGET', key, 'marks') or '') ~= version then
    local kept = {}
    for i, place in ipairs(places) do kept[i] = place[1] end
    excess[#excess + 1] = { base, kept }
  else
    local removed, missing = remove_places(base, places)
    if #missing > 0 then excess[#excess + 1] = { base, missing } end
    if #cursors > 0 and redis.call('HGET', key .. '/swept', 'rules') == text then
      redis.call('HSET', key .. '/swept', unpack(cursors))
    end
    note_newest(base, newest)
    local more = end_retirement(base, removed)
    if due > 0 then
      redis.call('ZREM', tag .. '/archivable', base)
      redis.call('ZADD', tag .. '/due', more and now or due, base)
    end
  end
end
if #excess > 0 then
  redis.call('SET', tag .. '/archiving', cmsgpack.pack({ token, 'excess', now, excess }))
else
  redis.call('DEL', tag .. '/archiving')
end
write_feeds()
return excess
