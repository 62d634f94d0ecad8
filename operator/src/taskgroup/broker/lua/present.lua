-- Task ids of all messages in the lists and the unacked hashes, and of the items that these descend from.
-- KEYS list 1..4, unacked hashes...
local ids = {}

local function note(raw, unwrap)
  local ok, message = pcall(cjson.decode, raw)
  if ok and unwrap and type(message) == 'table' then
    message = message[1]
  end
  if not ok or type(message) ~= 'table' or type(message.headers) ~= 'table' then
    return
  end
  -- A task that an item was replaced by has another id, and the item's as its root.
  for _, name in ipairs({'id', 'root_id'}) do
    if type(message.headers[name]) == 'string' then
      ids[#ids + 1] = message.headers[name]
    end
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
