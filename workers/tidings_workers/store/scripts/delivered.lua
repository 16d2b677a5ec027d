-- Devices acknowledged what they were sent. ARGV[1]: packed {{user's base, tenant, user, {{log's base,
-- {{after, up to}, ...}}, ...}}, ...}. A position is delivered to a user once, however many devices there
-- are; what was new goes to the dispatcher, which knows where it is counted.

--- @include "add_delivered"
--- @include "is_counted"
--- @include "add_to_ingress"

local moves, known = {}, {}
for _, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local user = item[1]
  for _, part in ipairs(item[4]) do
    local log = part[1]
    for _, fresh in ipairs(add_delivered(user, log, part[2])) do
      if is_counted(user, log, fresh) then
        local name = string.format('%s %.0f %.0f', log, fresh[1], fresh[2])
        if not known[name] then
          known[name] = { item[2], log, 'delivered', fresh[1], fresh[2], {} }
          moves[#moves + 1] = known[name]
        end
        local users = known[name][6]
        users[#users + 1] = item[3]
      end
    end
  end
end
if #moves > 0 then add_to_ingress({ { 'v', moves } }) end
return #moves
