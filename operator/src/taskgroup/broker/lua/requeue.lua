-- Moves a dead worker's unacked messages back to the end of the lists that is consumed next.
-- KEYS state, returned, attempts, losses, unacked hash, its index, list 1..4
-- ARGV tombstone, '1' to count losses, loss limit,
--      (delivery tag, entry as it was read, list number from 0, index or '', attempt, id, message)...
-- Returns the ids of items over the limit; they are in no list any more.
local given_up = {}
local buried = redis.call('HGET', KEYS[1], 'nonce') == ARGV[1]
local counting, limit = ARGV[2] == '1', tonumber(ARGV[3])

-- An item with a newer attempt, or one that waits in `returned` already, has its place elsewhere.
local function superseded(index, attempt)
  return (redis.call('HGET', KEYS[3], index) or '0') ~= attempt or redis.call('SISMEMBER', KEYS[2], index) == 1
end

for i = 4, #ARGV, 7 do
  local tag, index, attempt = ARGV[i], ARGV[i + 3], ARGV[i + 4]
  local is_item = index ~= ''
  -- An entry that is another one by now was acknowledged, or moved, since it was read.
  if redis.call('HGET', KEYS[5], tag) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[5], tag)
    redis.call('ZREM', KEYS[6], tag)
    if not buried and not (is_item and superseded(index, attempt)) then
      local losses = 0
      if counting then
        losses = redis.call('HINCRBY', KEYS[4], is_item and index or ARGV[i + 5], 1)
      end
      if counting and losses > limit then
        if is_item then
          given_up[#given_up + 1] = ARGV[i + 5]
        end
      else
        redis.call('RPUSH', KEYS[7 + ARGV[i + 2]], ARGV[i + 6])
      end
    end
  end
end
return given_up
