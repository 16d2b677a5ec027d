-- Take notifications to several users into this partition; their copies are made by the caller, with accept.lua.
-- ARGV[1]: packed items {tenant, id, accepted ms, to, content, users, category, life of the record in ms or 0}.
-- `unfinished` has them until they are stored: a dispatcher finishes what its caller did not. A record is made
-- once only. Answers per item 1 when copies may be missing, 0 when there is nothing to be done.

--- @include "tag"
--- @include "decimal"
--- @include "next_ingress_number"
--- @include "record_header"
--- @include "store_record"

local answer = {}
local unfinished = tag .. '/unfinished'
local number

for i, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local tenant, id, users, life = item[1], item[2], item[6], item[8]
  local record = tag .. '/n/' .. tenant .. '/' .. id
  local status = redis.call('GETRANGE', record, 0, 0)
  if status == '' then
    status = 'x'
    store_record(tenant, id, record_header(status, item[3], 0, 0, #users) .. item[4] .. '\n' .. item[5], item[7], life)
    for at = 1, #users, 500 do
      redis.call('RPUSH', record .. '/plan', unpack(users, at, math.min(at + 499, #users)))
    end
    if life > 0 then redis.call('PEXPIRE', record .. '/plan', string.format('%.0f', life)) end
    number = number or next_ingress_number()
    redis.call('ZADD', unfinished, number, tenant .. '/' .. id)
  end
  answer[i] = status == 'x' and 1 or 0
end
return answer
