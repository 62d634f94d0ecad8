-- Begins a group's books unless they exist. What the state no longer vouches for is dropped with it.
-- KEYS state, returned, attempts, losses; ARGV nonce, number of cursors, (lane, cursor)..., (index, attempt)...
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
  redis.call('HSET', KEYS[1], 'nonce', ARGV[1], 'epoch', 1)
  local first_attempt = 3 + 2 * tonumber(ARGV[2])
  for i = 3, first_attempt - 1, 2 do
    redis.call('HSET', KEYS[1], 'cursor:' .. ARGV[i], ARGV[i + 1])
  end
  for i = first_attempt, #ARGV, 2 do
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  end
end
return redis.call('HGETALL', KEYS[1])
