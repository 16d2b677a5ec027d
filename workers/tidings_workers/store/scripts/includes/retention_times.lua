-- Every time (ms) for which a rule of sweep.lua keeps entries, without -1.
local function retention_times(rule)
  local times, known = {}, { [-1] = true }
  local function add(time)
    if not known[time] then
      known[time] = true
      times[#times + 1] = time
    end
  end
  add(rule[2])
  for i = 2, #rule[3], 2 do add(rule[3][i]) end
  return times
end
