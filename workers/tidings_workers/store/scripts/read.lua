--[[
  Read parts of logs.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed parts:
    1 base          of the log
    2 positions     a set, as boundaries (see contains.lua)
    3 limit         of entries
    4 newest_first  the order of the entries, and of which ones come within the limit
    5 category      a name, a prefix that ends in a dot, or '' for all

  Returns per part {head, floor, entries}.
]]

--- @include "tag"
--- @include "categories"
--- @include "shared_content"

-- Add the entries after < p <= up_to to a list, at most `limit`.
local function read_interval(entries, key, categories, after, up_to, limit, newest_first)
  local found
  if categories then
    for _, position in ipairs(positions_in(key, categories, after, up_to, limit, newest_first)) do
      entries[#entries + 1] = redis.call('XRANGE', key .. '/log', position, position)[1]
    end
    return
  elseif newest_first then
    found = redis.call('XREVRANGE', key .. '/log', up_to, after + 1, 'COUNT', limit)
  else
    found = redis.call('XRANGE', key .. '/log', after + 1, up_to, 'COUNT', limit)
  end
  for _, entry in ipairs(found) do entries[#entries + 1] = entry end
end

local contents = {}

-- Give entries that refer to a shared content the content itself.
local function resolve(base, entries)
  local tenant = string.match(base, '^./([^/]+)')
  for _, entry in ipairs(entries) do
    local fields = entry[2]
    if fields[1] == 'r' then
      local key = shared_content(tenant, fields[2])
      contents[key] = contents[key] or redis.call('HGET', key, 'n')
      fields[1], fields[2] = 'n', contents[key]
    end
  end
end

local answer = {}
for i, part in ipairs(cmsgpack.unpack(ARGV[1])) do
  local base, bounds, limit, newest_first, category = unpack(part)
  local key = tag .. '/' .. base
  local known = redis.call('HMGET', key, 'head', 'floor')
  local categories = category ~= '' and categories_of(key, category)
  local entries = {}
  local first, last, step = 1, #bounds - 1, 2
  if newest_first then first, last, step = #bounds - 1, 1, -2 end
  for at = first, last, step do
    if #entries >= limit then break end
    read_interval(entries, key, categories, bounds[at], bounds[at + 1], limit - #entries, newest_first)
  end
  resolve(base, entries)
  answer[i] = { known[1] or 0, known[2] or 0, entries }
end
return answer
