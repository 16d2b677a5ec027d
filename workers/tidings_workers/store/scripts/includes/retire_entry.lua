--- @include "accepted_key"
--- @include "remove_entry"

-- Remove an entry for its age. `keep` is how long its category is kept. A plain send gets no record when that and the
-- least life of a record are over, nor when the entry is `archived`; then only its id is kept, for a repeated request.
-- Returns whether the entry was there.
local function retire_entry(base, position, id, accepted, keep, least_life, now, archived)
  local key = accepted_key(string.match(base, '^./([^/]+)'), id)
  if accepted + math.max(keep, least_life) <= now then
    redis.call('HDEL', key, id)
  elseif archived and redis.call('HEXISTS', key, id) == 1 then
    redis.call('HSET', key, id, '')
  end
  return remove_entry(base, position) and true or false
end
