-- Lets a batch count as dispatched and returned, and moves the cursor of its priority over it, or does nothing.
-- KEYS state, returned; ARGV nonce, epoch, cursor's field, its value before, its value after, indexes...
local held = redis.call('HMGET', KEYS[1], 'nonce', 'epoch', ARGV[3])
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] or (held[3] or '0') ~= ARGV[4] then
  return 0
end
for i = 6, #ARGV do
  redis.call('SADD', KEYS[2], ARGV[i])
end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[5])
return 1
