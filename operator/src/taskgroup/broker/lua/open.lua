-- Begins a group's books unless they exist. What the state no longer vouches for is dropped with it.
-- KEYS state, returned, attempts, losses, released bits of each step, 4 lists
-- ARGV nonce, nonce of books to replace or '', tombstone, owner, number of cursors, number of attempts,
--      (priority, cursor)..., (unit, attempt)..., returned units...
local nonce = redis.call('HGET', KEYS[1], 'nonce')
local outdated = nonce and nonce == ARGV[2] and nonce ~= ARGV[3]
if not nonce or outdated then
  redis.call('DEL', unpack(KEYS))
  redis.call('HSET', KEYS[1], 'nonce', ARGV[1], 'epoch', 1, 'owner', ARGV[4])
  local first_attempt = 7 + 2 * tonumber(ARGV[5])
  local first_returned = first_attempt + 2 * tonumber(ARGV[6])
  for i = 7, first_attempt - 1, 2 do
    redis.call('HSET', KEYS[1], 'cursor:' .. ARGV[i], ARGV[i + 1])
  end
  for i = first_attempt, first_returned - 1, 2 do
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  end
  for i = first_returned, #ARGV do
    redis.call('SADD', KEYS[2], ARGV[i])
  end
end
return redis.call('HGETALL', KEYS[1])
