--- @include "tag"
--- @include "decimal"
--- @include "wants_event"
--- @include "now_ms"

-- Write an event of a kind for which `wants_event` was true.
--   data  a table of texts and numbers, or JSON as text
--   span  {base of a log, after, up to} for an event per notification at these positions, which takes as many numbers;
--         the reader adds their ids to the data
local function write_event(tenant, kind, data, span)
  -- How long an event is kept, what an entry takes beside its texts, and the numbers between two looks at the age.
  local event_ms, entry_bytes, looks_every = 7 * 24 * 3600000, 64, 64
  local until_ms, most = string.match(wishes[tenant], '^%d+ (%d+) (%d+) ')
  local now = now_ms()
  if until_ms ~= '0' and tonumber(until_ms) < now then
    wishes[tenant] = ''
    return
  end
  local key = tag .. '/event-log/' .. tenant
  local facts = key .. '/facts'

  local function bytes_of(fields)
    local bytes = entry_bytes
    for i = 2, #fields, 2 do bytes = bytes + #fields[i] end
    return bytes
  end

  -- Remove the oldest entries until the stream has at most so many bytes, and those that are too old.
  local function trim(bytes, enough)
    local removed, start, least = 0, '-', nil
    repeat
      local old, more = redis.call('XRANGE', key, start, '+', 'COUNT', looks_every), false
      for _, entry in ipairs(old) do
        local fields = entry[2]
        more = bytes - removed > enough or tonumber(fields[6]) + event_ms < now
        if not more then break end
        removed = removed + bytes_of(fields)
        least = decimal(tonumber(string.match(entry[1], '^%d+')) + 1)
        start = least
      end
    until not more
    if least then
      redis.call('XTRIM', key, 'MINID', least)
      redis.call('HINCRBY', facts, 'bytes', -removed)
    end
  end

  local width = span and span[3] - span[2] or 1
  local number = redis.call('HINCRBY', facts, 'number', width)
  local fields = { 't', kind, 'd', data, 'a', decimal(now) }
  if type(data) == 'table' then fields[4] = cjson.encode(data) end
  if span then
    fields[7], fields[8] = 's', span[1] .. ' ' .. decimal(span[2]) .. ' ' .. decimal(span[3])
  end
  redis.call('XADD', key, decimal(number) .. '-0', unpack(fields))
  local bytes = bytes_of(fields)
  if redis.call('XLEN', key) == 1 then
    redis.call('HSET', facts, 'bytes', bytes)
  else
    bytes = redis.call('HINCRBY', facts, 'bytes', bytes)
  end
  redis.call('PEXPIRE', key, event_ms)
  most = tonumber(most)
  if bytes > most then
    -- Lower than the most, so that the next writes need not trim.
    trim(bytes, most * 15 / 16)
  elseif number % looks_every < width then
    trim(bytes, most)
  end
end
