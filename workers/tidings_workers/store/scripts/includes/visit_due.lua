--- @include "tag"
--- @include "category_of"
--- @include "entry_id"
--- @include "id_time"
--- @include "kept_for"
--- @include "retention_times"
--- @include "rule_text"

-- Each log is swept once an hour, because rules may change.
local HOUR = 3600000

-- Visit the entries above the cursor that were kept for `keep` ms. Returns the cursor (up to it, all such entries were
-- visited), when the next one is due, nil when the budget was used up first, and the budget that is left.
local function visit_time(base, rule, keep, cursor, now, budget, visit)
  local key = tag .. '/' .. base
  local count = 1
  while budget > 0 do
    count = math.min(count * 4, budget)
    local entries = redis.call('XRANGE', key .. '/log', cursor + 1, '+', 'COUNT', count)
    for _, entry in ipairs(entries) do
      local position, fields = tonumber(string.match(entry[1], '^%d+')), entry[2]
      if kept_for(rule[2], rule[3], category_of(fields)) == keep then
        local id = entry_id(fields)
        local accepted = id_time(id) or now
        if accepted + keep > now then return cursor, accepted + keep, budget end
        if not visit(position, fields, id, accepted, keep) then return cursor, now + HOUR, budget end
      end
      cursor = position
      budget = budget - 1
    end
    if #entries < count then return cursor, now + keep, budget end
  end
  return cursor, nil, 0
end

-- Visit the entries of a log that are older than a rule of sweep.lua allows, by each of its times. `visit` gets position,
-- fields, id, time of acceptance and the time that the entry is kept; when it returns false, no further entry with this
-- time is visited. Returns when the next entry is due, nil when there is more to do; the budget that is left; and the
-- cursors {ms, position, ...} for `<log>/swept`, once the visited entries have been removed.
local function visit_due(base, rule, least_life, now, budget, visit)
  local swept = tag .. '/' .. base .. '/swept'
  local times = retention_times(rule)
  -- With one time for all entries, those at the start of the log are the oldest: no cursor is needed.
  local single = #times == 1 and #rule[3] == 0
  local next_due, cursors = now + HOUR, {}
  if not single then
    -- A cursor is valid as long as no category is kept for another time.
    local text = rule_text(rule, least_life)
    if redis.call('HGET', swept, 'rules') ~= text then
      redis.call('DEL', swept)
      redis.call('HSET', swept, 'rules', text)
    end
  end
  for _, keep in ipairs(times) do
    local from = not single and tonumber(redis.call('HGET', swept, keep)) or 0
    local cursor, due
    cursor, due, budget = visit_time(base, rule, keep, from, now, budget, visit)
    if not single and cursor > from then
      cursors[#cursors + 1] = keep
      cursors[#cursors + 1] = cursor
    end
    if not due then return nil, budget, cursors end
    next_due = math.min(next_due, due)
  end
  return next_due, budget, cursors
end
