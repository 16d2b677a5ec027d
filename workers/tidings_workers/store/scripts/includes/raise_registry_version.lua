--- @include "now_us"

-- Raise the version of the registry: Unix microseconds, made to rise. It is no counter: a store that lost its last
-- changes must not give a version again that a process has read before.
local function raise_registry_version(version)
  local last = tonumber(redis.call('GET', version) or '0')
  redis.call('SET', version, math.max(now_us(), last + 1))
end
