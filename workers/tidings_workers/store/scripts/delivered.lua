--[[
  Record what the devices of users acknowledged. A position is delivered to a user once, on whichever device; the
  dispatcher counts the new ones on the receipts.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed items:
    1 base    of the user's log
    2 tenant
    3 user
    4 logs    {log's base, {{after, up to}, ...}, only later} each; only later: of the spans, the part behind every
              position that was delivered to the user before

  Returns the number of spans that go to the dispatcher.
]]

--- @include "add_delivered"
--- @include "delivered_to"
--- @include "is_counted"
--- @include "add_to_ingress"
--- @include "wants_event"

local moves, by_span = {}, {}
for _, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local base, tenant, user, logs = unpack(item)
  for _, part in ipairs(logs) do
    local log_base, spans, only_later = unpack(part)
    if only_later then
      local known, later = delivered_to(base, log_base), {}
      local last = known[#known] or 0
      for _, span in ipairs(spans) do
        if span[2] > last then later[#later + 1] = { math.max(span[1], last), span[2] } end
      end
      spans = later
    end
    local added = add_delivered(base, log_base, spans)
    if #added > 0 and wants_event(tenant, 'notification.delivered') then
      --- @include "write_progress"
      write_progress(base, 'notification.delivered', log_base, added)
    end
    for _, span in ipairs(added) do
      if is_counted(base, log_base, span) then
        local after, up_to = unpack(span)
        local name = log_base .. ' ' .. decimal(after) .. ' ' .. decimal(up_to)
        if not by_span[name] then
          by_span[name] = { tenant, log_base, 'delivered', after, up_to, {} }
          moves[#moves + 1] = by_span[name]
        end
        local users = by_span[name][6]
        users[#users + 1] = user
      end
    end
  end
end
if #moves > 0 then add_to_ingress({ { 'v', moves } }) end
return #moves
