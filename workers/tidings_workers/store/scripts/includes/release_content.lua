--- @include "shared_content"

-- An entry with these fields was removed from a log of the tenant: the content that only it referred to is removed.
local function release_content(tenant, fields)
  if fields[1] ~= 'r' then return end
  local shared = shared_content(tenant, fields[2])
  if redis.call('HINCRBY', shared, 'copies', -1) <= 0 then redis.call('DEL', shared) end
end
