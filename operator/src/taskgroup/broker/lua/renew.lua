-- Puts units back into `returned` under a new attempt each; returns the new attempts, or nil when fenced.
-- KEYS state, returned, attempts; ARGV nonce, epoch, units...
local held = redis.call('HMGET', KEYS[1], 'nonce', 'epoch')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then
  return nil
end
local attempts = {}
for i = 3, #ARGV do
  attempts[#attempts + 1] = redis.call('HINCRBY', KEYS[3], ARGV[i], 1)
  redis.call('SADD', KEYS[2], ARGV[i])
end
return attempts
