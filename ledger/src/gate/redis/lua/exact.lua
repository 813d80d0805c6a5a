-- Exact 64-bit amounts: Lua's numbers are doubles, exact to 2^53 only. An amount is a number while every one of the script is below
-- that. The first that is not stops the script, and it begins again with amounts as {high, low}, worth high * 2^32 + low with
-- 0 <= low < 2^32 (`run` in account.lua). **What a script has written by then it must be able to write once more.** Beginning with
-- pairs would cost a table for every step.
-- An amount travels as eight big-endian bytes ('i4I4'), never as a number.
local TWO32, HIGH_MAX, HIGH_MIN, EXACT = 4294967296, 2147483647, -2147483648, 9007199254740992
local OVERFLOW, WIDE = {}, {}
local ZERO = 0

local function exact(number)
  if number >= EXACT or number <= -EXACT then error(WIDE) end
  return number
end

local function amount(high, low) return exact(high * TWO32 + low) end
local function high(a) return (a - a % TWO32) / TWO32 end
local function low(a) return a % TWO32 end
local function add(a, b) return exact(a + b) end
local function sub(a, b) return exact(a - b) end
-- nil where the result does not fit 64 bits.
local add_fitting, sub_saturating = add, sub
local function less(a, b) return a < b end
local function equal(a, b) return a == b end
-- Of the halves of many amounts.
local function sum(high, low)
  local rest = low % TWO32
  return amount(high + (low - rest) / TWO32, rest)
end

-- From now on amounts are pairs.
local function widen()
  local function carried(high, low)
    if low >= TWO32 then return high + 1, low - TWO32 end
    if low < 0 then return high - 1, low + TWO32 end
    return high, low
  end
  local function fitting(high, low)
    high, low = carried(high, low)
    if high > HIGH_MAX or high < HIGH_MIN then return nil end
    return {high, low}
  end
  ZERO = {0, 0}
  amount = function(high, low) return {high, low} end
  high = function(a) return a[1] end
  low = function(a) return a[2] end
  add_fitting = function(a, b) return fitting(a[1] + b[1], a[2] + b[2]) end
  add = function(a, b) return add_fitting(a, b) or error(OVERFLOW) end
  sub = function(a, b) return fitting(a[1] - b[1], a[2] - b[2]) or error(OVERFLOW) end
  sub_saturating = function(a, b)
    local difference = fitting(a[1] - b[1], a[2] - b[2])
    if difference then return difference end
    if a[1] < 0 then return {HIGH_MIN, 0} end
    return {HIGH_MAX, TWO32 - 1}
  end
  less = function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end
  sum = function(high, low)
    local rest = low % TWO32
    return fitting(high + (low - rest) / TWO32, rest) or error(OVERFLOW)
  end
  equal = function(a, b) return a[1] == b[1] and a[2] == b[2] end
end

local function smaller(a, b) if less(b, a) then return b end return a end
local function larger(a, b) if less(a, b) then return b end return a end

-- Exact for whole numbers from 0 to 2^53, where a division of doubles would round.
local function quotient(a, b) return (a - math.fmod(a, b)) / b end
local function quotient_up(a, b)
  local rest = math.fmod(a, b)
  if rest == 0 then return a / b end
  return (a - rest) / b + 1
end
