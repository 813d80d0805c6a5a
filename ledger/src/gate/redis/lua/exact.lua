-- Exact 64-bit amounts: Lua's numbers are doubles, exact to 2^53 only. An amount is {high, low}, worth
-- high * 2^32 + low with 0 <= low < 2^32, so that every step stays far below 2^53. It travels as eight
-- big-endian bytes ('i4I4'), never as a number.
local TWO32, HIGH_MAX, HIGH_MIN = 4294967296, 2147483647, -2147483648
local ZERO = {0, 0}
local OVERFLOW = {}

local function carried(high, low)
  if low >= TWO32 then return high + 1, low - TWO32 end
  if low < 0 then return high - 1, low + TWO32 end
  return high, low
end

-- nil where the result does not fit.
local function fitting(high, low)
  high, low = carried(high, low)
  if high > HIGH_MAX or high < HIGH_MIN then return nil end
  return {high, low}
end

local function add(a, b) return fitting(a[1] + b[1], a[2] + b[2]) or error(OVERFLOW) end
local function sub(a, b) return fitting(a[1] - b[1], a[2] - b[2]) or error(OVERFLOW) end

local function sub_saturating(a, b)
  local difference = fitting(a[1] - b[1], a[2] - b[2])
  if difference then return difference end
  if a[1] < 0 then return {HIGH_MIN, 0} end
  return {HIGH_MAX, TWO32 - 1}
end

local function less(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end
local function equal(a, b) return a[1] == b[1] and a[2] == b[2] end
local function smaller(a, b) if less(b, a) then return b end return a end
local function larger(a, b) if less(a, b) then return b end return a end

-- Exact for whole numbers from 0 to 2^53, where a division of doubles would round.
local function quotient(a, b) return (a - math.fmod(a, b)) / b end
local function quotient_up(a, b)
  local rest = math.fmod(a, b)
  if rest == 0 then return a / b end
  return (a - rest) / b + 1
end
