--[[
  Accept notifications to several users or topics into this partition. The caller makes their copies with accept.lua, then calls
  stored.lua. Until then they are unfinished, and a dispatcher finishes those that the caller did not. A record is made
  once: a call may be repeated.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed items:
    1 tenant
    2 id
    3 accepted  Unix ms
    4 to        the target as JSON
    5 content   the stored content as JSON
    6 plan      the users who get a copy, or the topics, each with a slash before it
    7 recipients  -1 for unknown
    8 category  or ''
    9 life      of the record in ms, 0 for ever

  Returns per item 1 when copies may be missing, 0 when there is nothing to do.
]]

--- @include "tag"
--- @include "next_ingress_number"
--- @include "record_header"
--- @include "record_key"
--- @include "record_status"
--- @include "store_record"

-- Lua's `unpack` takes some thousands of values.
local PUSHED = 500

local unfinished = tag .. '/unfinished'
local answer = {}
local number

for i, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local tenant, id, accepted, to, content, plan, recipients, category, life = unpack(item)
  local record = record_key(tenant, id)
  local status = record_status(record)
  if status == '' then
    status = 'x'
    local header = record_header(status, accepted, 0, 0, recipients)
    store_record(record, tenant, id, header .. to .. '\n' .. content, category, life, string.sub(plan[1], 1, 1) == '/')
    for at = 1, #plan, PUSHED do
      redis.call('RPUSH', record .. '/plan', unpack(plan, at, math.min(at + PUSHED - 1, #plan)))
    end
    if life > 0 then redis.call('PEXPIRE', record .. '/plan', life) end
    number = number or next_ingress_number()
    redis.call('ZADD', unfinished, number, tenant .. '/' .. id)
  end
  answer[i] = status == 'x' and 1 or 0
end
return answer
