-- Take notifications into this partition. ARGV[1]: packed {retention ms, items}; an item is
--   {kind, tenant, id, accepted ms, to, content, expires, base, exclude, excluded users, recipients,
--    category}
-- kind: 'l' for one log (user, group or all: appended here and now), 'c' for a compound target
-- (expanded by the dispatcher), '0' for nobody.
-- A record is made once only: a retry with the same id does nothing.

local request = cmsgpack.unpack(ARGV[1])
local retention = string.format('%.0f', request[1])
local operations = {}
local now = now_ms()

for _, item in ipairs(request[2]) do
  local kind, tenant, id, accepted = item[1], item[2], item[3], item[4]
  local base, exclude, excluded, recipients, category = item[8], item[9], item[10], item[11], item[12]
  local record = tag .. '/n/' .. tenant .. '/' .. id
  if redis.call('EXISTS', record) == 0 then
    local head
    if kind == 'c' then
      operations[#operations + 1] = { 'c', tenant, id }
      head = header('a', accepted, 0, 0, -1)
    else
      local position = 0
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
            operations[#operations + 1] = { 'h', tenant, base, position, excluded }
          end
        end
      end
      head = header('s', accepted, now, position, recipients)
    end
    redis.call('SET', record, head .. item[5] .. '\n' .. item[6], 'PX', retention)
    -- What the tenant has sent, in the order of this partition.
    if category == '' then
      redis.call('XADD', tag .. '/sent/' .. tenant, '*', 'i', id)
    else
      redis.call('XADD', tag .. '/sent/' .. tenant, '*', 'i', id, 'c', category)
    end
  end
end

ingest(operations)
flush()
return #request[2]
