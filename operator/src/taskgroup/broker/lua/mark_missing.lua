-- Puts units whose message vanished into `returned`, under the attempt that they have.
-- KEYS state, returned; ARGV nonce, epoch, units...
local held = redis.call('HMGET', KEYS[1], 'nonce', 'epoch')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then
  return 0
end
for i = 3, #ARGV do
  redis.call('SADD', KEYS[2], ARGV[i])
end
return 1
