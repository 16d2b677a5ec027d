-- Raise the version of the registry. It starts at the clock and not at zero: a store that lost its data must not return
-- to a version that a process has read before.
local function raise_registry_version(version)
  if redis.call('EXISTS', version) == 0 then
    redis.call('SET', version, redis.call('TIME')[1] .. '000')
  end
  redis.call('INCR', version)
end
