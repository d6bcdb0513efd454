-- Give ARGV[2] unspent permits of part ARGV[1] back to the hash KEYS[1].
local permits = math.min(tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0'), tonumber(ARGV[2]))
if permits > 0 then redis.call('HINCRBY', KEYS[1], ARGV[1], -permits) end
return permits
