-- Lets later steps wait for their first dispatch, each once however often this is repeated.
-- KEYS state, returned, released bits of the step; ARGV nonce, epoch, number of the step's first unit, indexes...
local held = redis.call('HMGET', KEYS[1], 'nonce', 'epoch')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then
  return 0
end
local first = tonumber(ARGV[3])
for i = 4, #ARGV do
  if redis.call('SETBIT', KEYS[3], ARGV[i], 1) == 0 then
    redis.call('SADD', KEYS[2], string.format('%d', first + tonumber(ARGV[i])))
  end
end
return 1
