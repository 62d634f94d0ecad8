-- Pushes a batch and moves the cursor of their priority, or does nothing.
-- KEYS state, list; ARGV nonce, epoch, cursor's field, its value before, its value after, messages...
local held = redis.call('HMGET', KEYS[1], 'nonce', 'epoch', ARGV[3])
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] or (held[3] or '0') ~= ARGV[4] then
  return 0
end
-- unpack() is bounded by Lua's stack of 8000 slots.
for first = 6, #ARGV, 7000 do
  redis.call('LPUSH', KEYS[2], unpack(ARGV, first, math.min(first + 6999, #ARGV)))
end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[5])
return 1
