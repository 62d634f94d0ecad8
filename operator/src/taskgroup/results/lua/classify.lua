-- One letter per task id, in order: s success, f failure, r revoked, w waits for a retry that its task asked for, . not
-- ended, ? not plain JSON. Then a bar and, for each that has ended, the seconds that it ran, separated by commas; nothing where the result does not say it.
-- ARGV key prefix, ids separated by newlines. Only the beginning of each value is read, however large it is.
local letters = {SUCCESS = 's', FAILURE = 'f', REVOKED = 'r', RETRY = 'w'}
local codes, times = {}, {}
local function classify(head)
  if type(head) ~= 'string' then return '?' end
  if head == '' then return '.' end
  local status = head:match('^{"status": ?"([^"]*)')
  return status and (letters[status] or '.') or '?'
end
for id in ARGV[2]:gmatch('[^\n]+') do
  local head = redis.pcall('GETRANGE', ARGV[1] .. id, 0, 63)
  local code = classify(head)
  codes[#codes + 1] = code
  if code ~= '.' and code ~= 'w' then
    times[#times + 1] = type(head) == 'string' and head:match('^{"status": ?"%u+", ?"run_seconds": ?([%d.]+)[,}]') or ''
  end
end
return table.concat(codes) .. '|' .. table.concat(times, ',')
