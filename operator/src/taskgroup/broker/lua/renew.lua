-- Puts units back into `returned` under a new attempt each; returns the new attempts, or nil when fenced.
-- KEYS state, returned, attempts, losses; ARGV nonce, epoch, '1' to forget how many workers died with them, units...
local held = redis.call('HMGET', KEYS[1], 'nonce', 'epoch')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then
  return nil
end
local attempts = {}
for i = 4, #ARGV do
  attempts[#attempts + 1] = redis.call('HINCRBY', KEYS[3], ARGV[i], 1)
  redis.call('SADD', KEYS[2], ARGV[i])
  if ARGV[3] == '1' then
    redis.call('HDEL', KEYS[4], ARGV[i], 'shared:' .. ARGV[i])
  end
end
return attempts
