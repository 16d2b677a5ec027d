-- A rule of sweep.lua as text, to notice when it changes, and for keep_record.lua.
local function rule_text(rule, least_life) return cjson.encode({ rule[2], rule[3], least_life, rule[4] }) end
