--- @include "tag"
--- @include "accepted_key"

-- The time within which ids begin with the same six digits, and how many of their hashes one call removes.
local IDS_MS = 0x1000000
local MOST_HASHES = 100
-- A send may be stored a day after its id was made: a request that is repeated with its idempotency key. One more day
-- is for clocks, and for a sweep that is late.
local KEPT_MS = 2 * 24 * 3600000

-- Remove the hashes of accepted ids whose notifications are all older than `longest`, in ms, -1 for none. No log has
-- an entry of them then, and no request with one of the ids is repeated.
local function forget_accepted(tenant, now, longest)
  local swept = tag .. '/sent/' .. tenant .. '/swept'
  local first = tonumber(redis.call('HGET', swept, 'accepted') or '0')
  if first == 0 then
    first = math.floor((now - KEPT_MS) / IDS_MS)
    redis.call('HSET', swept, 'accepted', first)
  end
  if longest == -1 then return end
  local last = math.min(math.floor((now - longest - KEPT_MS) / IDS_MS), first + MOST_HASHES)
  if last <= first then return end
  local keys = {}
  for number = first, last - 1 do keys[#keys + 1] = accepted_key(tenant, string.format('%06x', number)) end
  redis.call('UNLINK', unpack(keys))
  redis.call('HSET', swept, 'accepted', last)
end
