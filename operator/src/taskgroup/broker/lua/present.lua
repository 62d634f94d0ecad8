-- Task ids of all messages in the lists and the unacked hashes. KEYS list 1..4, unacked hashes...
local ids = {}

local function note(raw, unwrap)
  local ok, message = pcall(cjson.decode, raw)
  if ok and unwrap and type(message) == 'table' then
    message = message[1]
  end
  if ok and type(message) == 'table' and type(message.headers) == 'table' and type(message.headers.id) == 'string' then
    ids[#ids + 1] = message.headers.id
  end
end

for number, key in ipairs(KEYS) do
  if number <= 4 then
    for _, raw in ipairs(redis.call('LRANGE', key, 0, -1)) do
      note(raw, false)
    end
  else
    for _, raw in ipairs(redis.call('HVALS', key)) do
      note(raw, true)
    end
  end
end
return ids
