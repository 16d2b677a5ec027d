-- The first part of a notification's record. It has a fixed length, so that it can be changed in place:
--   status 1 | accepted 13 | stored 13 | position 16 | recipients 10
-- The target as JSON, a newline and the content as JSON follow.
--   status      a accepted, x not stored for all of its users yet, s stored, c cancelled, r recalled
--   accepted    Unix ms, and so is `stored`: 0 for not yet
--   position    in its log; 0 for a compound notification
--   recipients  -1 is unknown: a target of all, or of groups before the plan exists
local function record_header(status, accepted, stored, position, recipients)
  return string.format('%s%013.0f%013.0f%016.0f%010.0f', status, accepted, stored, position, recipients)
end
