-- The id of the notification of a log entry. A copy that refers to a shared content has it as its first field, 'r'; the
-- others have the content there, 'n', which begins with it: {"id":"...
local function entry_id(fields)
  if fields[1] == 'r' then return fields[2] end
  return string.sub(fields[2], 8, 43)
end
