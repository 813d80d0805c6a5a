-- Requests and tokens a minute; `protocol/rate.rs` in Lua. A bucket is {level, at, limit}; all are whole
-- numbers below 2^53, and no step leaves that range before it is compared.
local CELL, RATE_MAX, LEVEL_MAX, CLOCK_STEP = 60000000, 150000000, 9007199254740991, 1000000

local function level_at(bucket, limit, now)
  local elapsed = now - bucket[2]
  if elapsed < -CLOCK_STEP then return 0 end
  local drained = max(elapsed, 0) * limit
  if drained >= bucket[1] then return 0 end
  return bucket[1] - drained
end

-- The next bucket; or nil, the cells that would have fitted, and the milliseconds to wait (-1: for ever).
local function take(bucket, per_minute, cells, now)
  local limit = min(per_minute, RATE_MAX)
  local capacity = limit * CELL
  local level = level_at(bucket, limit, now)
  if cells <= limit then
    local room = capacity - cells * CELL
    if level <= room then return {level + cells * CELL, now, limit} end
    if limit > 0 then
      local retry = quotient_up(quotient_up(level - room, limit), 1000)
      return nil, quotient(max(capacity - level, 0), CELL), retry
    end
  end
  return nil, quotient(max(capacity - level, 0), CELL), -1
end

-- What was estimated is replaced by what was used; a debt is kept.
local function correct(bucket, estimated, used, now)
  local level = level_at(bucket, bucket[3], now) + (used - estimated) * CELL
  return {min(max(level, 0), LEVEL_MAX), now, bucket[3]}
end
