-- Devices acknowledged what they were sent. ARGV[1]: packed {{user's base, tenant, user, {{log's base,
-- {{after, up to}, ...}}, ...}}, ...}. A user's mark per log moves forward once over each position, so
-- each user counts once however many devices there are; what it moved over goes to the dispatcher,
-- which knows where the notifications' records are.
local moves, known = {}, {}
for _, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local key = tag .. '/' .. item[1] .. '/delivered'
  for _, part in ipairs(item[4]) do
    local log = part[1]
    local mark = tonumber(redis.call('HGET', key, log) or '0')
    local reached = mark
    for _, span in ipairs(part[2]) do
      local after = math.max(span[1], mark)
      if span[2] > after then
        local name = string.format('%s %.0f %.0f', log, after, span[2])
        if not known[name] then
          known[name] = { item[2], log, after, span[2], {} }
          moves[#moves + 1] = known[name]
        end
        local users = known[name][5]
        users[#users + 1] = item[3]
        reached = math.max(reached, span[2])
      end
    end
    if reached > mark then redis.call('HSET', key, log, string.format('%.0f', reached)) end
  end
end
if #moves > 0 then ingest({ { 'v', moves } }) end
return #moves
