-- One letter per task id, in order: s success, f failure, r revoked, . not ended, ? not plain JSON.
-- ARGV key prefix, ids separated by newlines. Only the beginning of each value is read, however large it is.
local letters = {SUCCESS = 's', FAILURE = 'f', REVOKED = 'r'}
local known = {[''] = '.'}
local codes = {}
for id in ARGV[2]:gmatch('[^\n]+') do
  local head = redis.pcall('GETRANGE', ARGV[1] .. id, 0, 24)
  if type(head) ~= 'string' then
    codes[#codes + 1] = '?'
  else
    local code = known[head]
    if not code then
      local status = head:match('^{"status": ?"([^"]*)')
      code = status and (letters[status] or '.') or '?'
      known[head] = code
    end
    codes[#codes + 1] = code
  end
end
return table.concat(codes)
