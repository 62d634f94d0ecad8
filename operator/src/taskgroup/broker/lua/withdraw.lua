-- Raises the epoch and takes the group's units out of the lists; to stop them also out of the unacked hashes.
-- KEYS state, returned, attempts, list 1..4, (unacked hash, its index)...; ARGV nonce, epoch, uid,
-- '0': what waits, '1': everything, subtasks too, '2': all units, of which those that have begun get a new attempt,
-- pattern of a task id, units between two steps, (name of a stage, or a dot and that of a hook, its first unit)...
-- Returns {epoch, units from the lists, units from the unacked hashes or with a new attempt}, or nil when fenced.
local held = redis.call('HMGET', KEYS[1], 'nonce', 'epoch')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then
  return nil
end
-- Redis lets a script that has written go on when memory is full: this one frees memory, so it begins with a write.
redis.call('SREM', KEYS[2], '')
local take_all, anew = ARGV[4] == '1', ARGV[4] == '2'
local named = {}
for i = 7, #ARGV, 2 do
  named[ARGV[i]] = ARGV[i + 1]
end

local function unit_of(message)
  if type(message) ~= 'table' or type(message.headers) ~= 'table' then
    return nil
  end
  local id = message.headers.id
  if type(id) ~= 'string' then
    return nil
  end
  local uid, place, step, attempt = id:match(ARGV[5])
  if uid ~= ARGV[3] then
    return nil
  end
  local index = place:match('^%d+$')
  local first = index or named[place]
  local later = nil
  if step:match('^%d*$') then
    later = (tonumber(step) or 0) * tonumber(ARGV[6])
  elseif index then
    later = tonumber(named['.' .. step])
  end
  if not first or not later then
    return nil
  end
  local number = string.format('%.0f', tonumber(first) + later)
  return number, attempt ~= '' and attempt or '0', tonumber(message.headers.retries) or 0
end

-- A message of an older attempt is superseded: its unit has its place elsewhere.
local function put_back(unit, attempt, found)
  if (redis.call('HGET', KEYS[3], unit) or '0') == attempt then
    redis.call('SADD', KEYS[2], unit)
    found[#found + 1] = unit
    return true
  end
  return false
end

local function renew(unit, attempt, found)
  if put_back(unit, attempt, found) then
    redis.call('HINCRBY', KEYS[3], unit, 1)
  end
end

local function drain(list, found, begun)
  local messages = redis.call('LRANGE', list, 0, -1)
  local keep = {}
  for _, raw in ipairs(messages) do
    local ok, message = pcall(cjson.decode, raw)
    local unit, attempt, retries = nil, nil, nil
    if ok then
      unit, attempt, retries = unit_of(message)
    end
    -- A retry that the task itself asked for carries its own arguments and count: only its message holds them.
    if unit and anew and retries > 0 then
      renew(unit, attempt, begun)
    elseif unit and (retries == 0 or take_all) then
      put_back(unit, attempt, found)
    elseif not take_all then
      keep[#keep + 1] = raw
    end
  end
  if #keep < #messages then
    redis.call('DEL', list)
    for first = 1, #keep, 7000 do
      redis.call('RPUSH', list, unpack(keep, first, math.min(first + 6999, #keep)))
    end
  end
end

local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
local queued, running = {}, {}
for number = 4, 7 do
  drain(KEYS[number], queued, running)
end
for number = 8, #KEYS, 2 do
  local entries = redis.call('HGETALL', KEYS[number])
  for i = 1, #entries, 2 do
    local ok, entry = pcall(cjson.decode, entries[i + 1])
    local unit, attempt = nil, nil
    if ok and type(entry) == 'table' then
      unit, attempt = unit_of(entry[1])
    end
    if unit and anew then
      renew(unit, attempt, running)
      redis.call('HDEL', KEYS[number], entries[i])
      redis.call('ZREM', KEYS[number + 1], entries[i])
    elseif unit then
      put_back(unit, attempt, running)
    end
  end
  if take_all then
    redis.call('DEL', KEYS[number], KEYS[number + 1])
  end
end
return {epoch, queued, running}
