-- A group's clock, the field `joined`, gives each joining and each leaving its own number: microseconds, but always
-- above the last one. A send to several groups stores the clocks that it read, its cuts. It reaches the users who
-- joined at or before the cut and had not left by then.
local DAY_US = 24 * 3600000000
-- cuts.lua notes once an hour a cut that has not changed.
local CUT_LIFE_US = DAY_US + 3600000000

-- The highest cut that a send may still need; 0 if no send needs one. No send needs a membership that began above it.
local function last_cut(key, now)
  local known = redis.call('HMGET', key, 'cut', 'cut_at')
  if not known[1] or tonumber(known[2]) + CUT_LIFE_US < now then return 0 end
  return tonumber(known[1])
end
