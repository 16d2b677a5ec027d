--- @include "tag"
--- @include "entry_id"
--- @include "id_time"
--- @include "retention_times"

-- The bytes of an entry besides its content.
local OVERHEAD = 200

-- About how many bytes the entries of a log take that are older than a rule of sweep.lua allows.
local function overdue_bytes(base, rule, now)
  local log = tag .. '/' .. base .. '/log'
  local shortest = math.min(unpack(retention_times(rule)))
  local function first_from(position)
    local entry = redis.call('XRANGE', log, position, '+', 'COUNT', 1)[1]
    return entry and tonumber(string.match(entry[1], '^%d+')), entry and entry[2]
  end
  local low, fields = first_from(0)
  if not low then return 0 end
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  local high, size, start = tonumber(string.match(last[1], '^%d+')) + 1, #fields[2] + OVERHEAD, low
  -- The entries before `low` are overdue, and those from `high` on are not.
  while low < high do
    local middle = math.floor((low + high) / 2)
    local position, found = first_from(middle)
    if position and (id_time(entry_id(found)) or now) + shortest <= now then low = position + 1 else high = middle end
  end
  return (low - start) * size
end
