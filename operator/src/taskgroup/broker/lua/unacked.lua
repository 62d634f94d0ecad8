-- What a pod holds, the oldest first: {tag, time taken, task id, task, eta, hard time limit} for each message.
-- An entry that is no message has the id ''.
-- KEYS unacked hash, its index; ARGV most entries
local found = {}

local function text(value)
  local kind = type(value)
  return (kind == 'string' or kind == 'number') and tostring(value) or ''
end

local tags = redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1, 'WITHSCORES')
for i = 1, #tags, 2 do
  local raw = redis.call('HGET', KEYS[1], tags[i])
  if raw then
    local ok, entry = pcall(cjson.decode, raw)
    local message = ok and type(entry) == 'table' and entry[1]
    local headers = type(message) == 'table' and type(message.headers) == 'table' and message.headers or {}
    local limits = type(headers.timelimit) == 'table' and headers.timelimit or {}
    found[#found + 1] = {tags[i], tags[i + 1], text(headers.id), text(headers.task), text(headers.eta), text(limits[1])}
  end
end
return found
