-- Pushes messages of units that are still in `returned` and have no newer attempt; returns those units.
-- KEYS state, returned, attempts, list 1..4; ARGV nonce, epoch, (unit, attempt, list number from 0, message)...
local pushed = {}
local held = redis.call('HMGET', KEYS[1], 'nonce', 'epoch')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then
  return pushed
end
for i = 3, #ARGV, 4 do
  local unit = ARGV[i]
  if (redis.call('HGET', KEYS[3], unit) or '0') == ARGV[i + 1] and redis.call('SREM', KEYS[2], unit) == 1 then
    redis.call('LPUSH', KEYS[4 + ARGV[i + 2]], ARGV[i + 3])
    pushed[#pushed + 1] = unit
  end
end
return pushed
