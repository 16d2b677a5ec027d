-- Take notifications into this partition. ARGV[1]: packed items; an item is
--   {kind, tenant, id, accepted ms, to, content, expires, base, exclude, excluded users, recipients,
--    category, life of the record in ms or 0 for ever}
-- kind: 'l' for one log (user, group or all: appended here and now), 'c' for a compound target
-- (expanded by the dispatcher), '0' for nobody.
-- A record is made once only: a retry with the same id does nothing.

local items = cmsgpack.unpack(ARGV[1])
local operations = {}
local now = now_ms()

for _, item in ipairs(items) do
  local kind, tenant, id, accepted = item[1], item[2], item[3], item[4]
  local base, exclude, excluded, recipients, category = item[8], item[9], item[10], item[11], item[12]
  local record = tag .. '/n/' .. tenant .. '/' .. id
  if redis.call('EXISTS', record) == 0 then
    local head
    if kind == 'c' then
      operations[#operations + 1] = { 'c', tenant, id }
      head = header('a', accepted, 0, 0, -1)
    else
      local position, status, stored = 0, 's', now
      if kind == 'l' then
        if string.sub(base, 1, 2) == 'g/' then
          local members = tag .. '/' .. base .. '/members'
          local hidden = {}
          for _, user in ipairs(excluded) do
            if redis.call('ZSCORE', members, user) then hidden[#hidden + 1] = user end
          end
          excluded = hidden
          recipients = redis.call('ZCARD', members) - #hidden
        end
        -- An unknown or empty group has nobody who could ever see the position.
        if recipients ~= 0 then
          position = append(base, item[6], item[7], exclude, category)
          if #excluded > 0 then
            -- Stored as soon as it is hidden from them: until then their counts have it.
            status, stored = 'x', 0
            operations[#operations + 1] = { 'h', tenant, base, position, excluded, id }
          end
        end
      end
      head = header(status, accepted, stored, position, recipients)
    end
    local content = head .. item[5] .. '\n' .. item[6]
    if item[13] > 0 then
      redis.call('SET', record, content, 'PX', string.format('%.0f', item[13]))
    else
      redis.call('SET', record, content)
    end
    -- What the tenant has sent, in the order of this partition.
    local sent = tag .. '/sent/' .. tenant
    if category == '' then
      redis.call('XADD', sent, '*', 'i', id)
    else
      redis.call('XADD', sent, '*', 'i', id, 'c', category)
    end
    -- From its first entry on a sweep looks at it.
    if redis.call('XLEN', sent) == 1 then redis.call('ZADD', tag .. '/due', 'NX', 0, 's/' .. tenant) end
  end
end

ingest(operations)
flush()
return #items
