-- Grant up to ARGV[3] permits of the limit ARGV[2], exact over a sliding window of ten parts of ARGV[1] milliseconds.
-- KEYS[1]: a hash, part number -> permits granted in it. A grant may be spent only within its own part, so the parts
-- that count (the present one and the ten before it) cover every window that a grant could be spent in.
-- ARGV[4]: nobody takes more than this fraction of what is free, so that processes share the last permits.
-- Returns {granted, part, milliseconds left of the part, permits left, milliseconds until a permit can come free}.
local size, limit, want, sharers = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local part = math.floor(now / size)
local used, oldest, past = 0, nil, {}
local parts = redis.call('HGETALL', KEYS[1])
for i = 1, #parts, 2 do
  local number, permits = tonumber(parts[i]), tonumber(parts[i + 1])
  if number < part - 10 then
    past[#past + 1] = parts[i]
  elseif permits > 0 then
    used = used + permits
    if oldest == nil or number < oldest then oldest = number end
  end
end
if #past > 0 then redis.call('HDEL', KEYS[1], unpack(past)) end
local free = math.max(0, limit - used)
local granted = math.min(want, free)
if granted > 1 then granted = math.max(1, math.min(granted, math.ceil(free / sharers))) end
if granted > 0 then
  redis.call('HINCRBY', KEYS[1], part, granted)
  redis.call('PEXPIRE', KEYS[1], size * 12)
end
local left = (part + 1) * size - now
local wait = left
if oldest ~= nil and free - granted == 0 then wait = (oldest + 11) * size - now end
return {granted, part, left, free - granted, wait}
