--- @include "tag"
--- @include "accepted_key"
--- @include "plain_record"
--- @include "plain_send"
--- @include "record_key"

-- The record of a notification (see record_header.lua), nil when there is none. That of a plain send is made from the
-- entry in its log.
local function record_text(tenant, id)
  local record = redis.call('GET', record_key(tenant, id))
  if record then return record end
  local facts = redis.call('HGET', accepted_key(tenant, id), id)
  local position, _, _, base = plain_send(facts)
  local entry = position and redis.call('XRANGE', tag .. '/' .. base .. '/log', position, position)[1]
  return entry and plain_record(id, facts, entry[2][2])
end
