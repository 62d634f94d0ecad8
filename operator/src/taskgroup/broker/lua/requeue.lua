-- Moves a dead worker's unacked messages back to the end of the lists that is consumed next.
-- KEYS state, returned, attempts, losses, unacked hash, its index, list 1..4
-- ARGV tombstone, loss limit, limit of shared losses, losses of a suspect (0: nobody is one, -1: everybody),
--      (delivery tag, entry as it was read, list number from 0, unit or '', attempt, id, message,
--       blame: 'none', 'shared' or 'alone', '1' when the message can be made again)...
-- Returns the ids of units over the limit, which are in no list any more, how many suspects went into `returned`, and with how
-- many units the worker died.
local given_up, set_aside, died = {}, 0, 0
local buried = redis.call('HGET', KEYS[1], 'nonce') == ARGV[1]
local limit, shared_limit, suspect = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

-- A unit with a newer attempt, or one that waits in `returned` already, has its place elsewhere.
local function superseded(unit, attempt)
  return (redis.call('HGET', KEYS[3], unit) or '0') ~= attempt or redis.call('SISMEMBER', KEYS[2], unit) == 1
end

-- The last loss must be the unit's own: until then a death in which others ran beside it is counted apart.
local function lose(unit, name, blame)
  if unit == '' then
    return redis.call('HINCRBY', KEYS[4], name, 1)
  end
  local losses = tonumber(redis.call('HGET', KEYS[4], unit) or '0')
  if blame == 'shared' and losses >= limit then
    if losses + redis.call('HINCRBY', KEYS[4], 'shared:' .. unit, 1) <= shared_limit then
      return losses
    end
  end
  return redis.call('HINCRBY', KEYS[4], unit, 1)
end

for i = 5, #ARGV, 9 do
  local tag, unit, attempt, blame = ARGV[i], ARGV[i + 3], ARGV[i + 4], ARGV[i + 7]
  local is_unit = unit ~= ''
  -- An entry that is another one by now was acknowledged, or moved, since it was read.
  if redis.call('HGET', KEYS[5], tag) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[5], tag)
    redis.call('ZREM', KEYS[6], tag)
    if not buried and not (is_unit and superseded(unit, attempt)) then
      if is_unit and blame ~= 'none' then
        died = died + 1
      end
      local losses = blame == 'none' and 0 or lose(unit, ARGV[i + 5], blame)
      if losses > limit then
        if is_unit then
          given_up[#given_up + 1] = ARGV[i + 5]
        end
      elseif is_unit and suspect ~= 0 and losses >= suspect and ARGV[i + 8] == '1' then
        redis.call('SADD', KEYS[2], unit)
        set_aside = set_aside + 1
      else
        redis.call('RPUSH', KEYS[7 + ARGV[i + 2]], ARGV[i + 6])
      end
    end
  end
end
return {given_up, set_aside, died}
