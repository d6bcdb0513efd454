-- Append entries to one stream, all or none, provided that the stream has reached a known position.
--
-- KEYS[1]  the stream
-- ARGV[1]  position it is known to have reached, "" if none
-- ARGV[2]  seconds to keep older entries for, "" for ever
-- ARGV[3…] for each entry: number of fields, then field and value of each
-- A position that is not one of Redis counts as not reached.
-- Answers the entries' positions, or an error that starts with STREAMBEHIND and ends with the stream's last position.

local function parts(position)
  local ms, sequence = string.match(position, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end

local stream, reached, keep = KEYS[1], ARGV[1], ARGV[2]

if reached ~= '' then
  local last = '0-0'
  if redis.call('EXISTS', stream) == 1 then
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
  end
  local last_ms, last_sequence = parts(last)
  local reached_ms, reached_sequence = parts(reached)
  if not reached_ms or last_ms < reached_ms or (last_ms == reached_ms and last_sequence < reached_sequence) then
    return redis.error_reply('STREAMBEHIND ' .. last)
  end
end

local positions = {}
local at = 3
while at <= #ARGV do
  local width = 2 * tonumber(ARGV[at])
  positions[#positions + 1] = redis.call('XADD', stream, '*', unpack(ARGV, at + 1, at + width))
  at = at + 1 + width
end

if keep ~= '' and #positions > 0 then
  local newest = parts(positions[#positions])
  redis.call('XTRIM', stream, 'MINID', string.format('%d', math.max(0, newest - tonumber(keep) * 1000)))
end
return positions
