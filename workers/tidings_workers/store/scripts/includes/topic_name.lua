-- The tenant and the name of the topic with this base; keys.py says how a base writes a slash.
local function topic_name(base)
  local tenant, name = string.match(base, '^t/([^/]+)/(.+)$')
  return tenant, (string.gsub(name, '%%2F', '/'))
end
