-- Drop the list of members of a deleted group, or in a day where a send may still need it. ARGV: the group's base,
-- the list's.
local list = KEYS[1] .. '/' .. ARGV[2]
if redis.call('ZSCORE', KEYS[1] .. '/' .. ARGV[1] .. '/deleted', ARGV[2]) then
  return redis.call('PEXPIRE', list, 24 * 3600000)
end
return redis.call('UNLINK', list)
