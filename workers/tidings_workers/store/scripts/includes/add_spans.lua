-- Add an interval to the end of a set of positions (see contains.lua). It begins at or above the start of the set's
-- last interval.
local function extend(bounds, after, up_to)
  local n = #bounds
  if n > 0 and after <= bounds[n] then
    bounds[n] = math.max(bounds[n], up_to)
  else
    bounds[n + 1], bounds[n + 2] = after, up_to
  end
end

-- Returns the parts of the spans {{after, up_to}, ...} that the set did not have, and the set with them added. Both in
-- time that grows with the sum of their lengths and not with the product: a user may have thousands of intervals.
local function add_spans(bounds, spans)
  -- Nearly always one span behind all others, as notifications arrive.
  if #spans == 1 then
    local after, up_to = spans[1][1], spans[1][2]
    if after < up_to and after >= (bounds[#bounds] or 0) then
      extend(bounds, after, up_to)
      return spans, bounds
    end
  end
  table.sort(spans, function(a, b) return a[1] < b[1] end)
  local added, reach, at = {}, 0, 1
  for _, span in ipairs(spans) do
    local after, up_to = math.max(span[1], reach), span[2]
    while at < #bounds and bounds[at + 1] <= after do at = at + 2 end
    local i = at
    while i < #bounds and bounds[i] < up_to do
      if bounds[i] > after then added[#added + 1] = { after, bounds[i] } end
      after, i = math.max(after, bounds[i + 1]), i + 2
    end
    if after < up_to then added[#added + 1] = { after, up_to } end
    reach = math.max(reach, up_to)
  end
  local whole, i, j = {}, 1, 1
  while i < #bounds or j <= #added do
    if j > #added or (i < #bounds and bounds[i] < added[j][1]) then
      extend(whole, bounds[i], bounds[i + 1])
      i = i + 2
    else
      extend(whole, added[j][1], added[j][2])
      j = j + 1
    end
  end
  return added, whole
end
