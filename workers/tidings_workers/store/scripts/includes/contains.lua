-- Whether a set of positions has this one. A set is a flat list of boundaries, as in intervals.py: every two of them
-- are an interval after < p <= up_to.
local function contains(bounds, position)
  local below = 0
  for _, bound in ipairs(bounds) do
    if bound >= position then break end
    below = below + 1
  end
  return below % 2 == 1
end
