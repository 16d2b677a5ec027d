--- @include "id_time"
--- @include "plain_send"
--- @include "record_header"

-- The target of a plain send as JSON. No id needs an escape there.
local function plain_target(base)
  local kind, name = string.match(base, '^(.)/[^/]+/?(.*)$')
  if kind == 'u' then return '{"users":["' .. name .. '"]}' end
  if kind == 'g' then return '{"groups":["' .. name .. '"]}' end
  return '{"all":true}'
end

-- The record of a plain send (see record_header.lua) from its facts and its content.
local function plain_record(id, facts, content)
  local position, waited, recipients, base = plain_send(facts)
  local accepted = id_time(id)
  return record_header('s', accepted, accepted + waited, position, recipients) .. plain_target(base) .. '\n' .. content
end
