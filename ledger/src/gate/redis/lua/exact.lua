-- Exact 64-bit amounts: Lua's numbers are doubles, exact to 2^53 only. An amount is a number while every one of the call is below
-- that. The first that is not stops the function, and it begins again with amounts as {high, low}, worth high * 2^32 + low with
-- 0 <= low < 2^32 (`define` in call.lua). **What a function has written by then it must be able to write once more.** Beginning with
-- pairs would cost a table for every step.
-- An amount travels as eight big-endian bytes: i8 in a layout, I8 a position in the log. Nothing else of a layout has eight.
local TWO32, HIGH_MAX, HIGH_MIN, EXACT = 4294967296, 2147483647, -2147483648, 9007199254740992
local OVERFLOW, WIDE = {}, {}
local ZERO, encode, decode, check, add, sub, add_fitting, sub_saturating, less, equal, sum
local is_wide

local function exact(number)
  if number >= EXACT or number <= -EXACT then error(WIDE) end
  return number
end

-- From now on amounts are numbers.
local function narrow()
  is_wide, ZERO = false, 0
  encode, decode = pack, parse
  -- What was decoded is rounded where it is too large. Up to five.
  check = function(a, b, c, d, e)
    b, c, d, e = b or 0, c or 0, d or 0, e or 0
    if a >= EXACT or b >= EXACT or c >= EXACT or d >= EXACT or e >= EXACT or a <= -EXACT or b <= -EXACT or c <= -EXACT
      or d <= -EXACT or e <= -EXACT then error(WIDE) end
  end
  add = function(a, b) return exact(a + b) end
  sub = function(a, b) return exact(a - b) end
  -- nil where the result does not fit 64 bits.
  add_fitting, sub_saturating = add, sub
  less = function(a, b) return a < b end
  equal = function(a, b) return a == b end
  -- Of the halves of many amounts.
  sum = function(high, low)
    local rest = low % TWO32
    return exact((high + (low - rest) / TWO32) * TWO32 + rest)
  end
end

-- A layout with its amounts in halves, which of its items they are, and how many items it has.
local halved_layouts = {}

local function halved(layout)
  local known = halved_layouts[layout]
  if known then return known end
  known = {text = '>', items = 0, amounts = {}}
  for kind, size in string.gmatch(layout, '(%a)(%d*)') do
    known.items = known.items + 1
    known.amounts[known.items] = size == '8'
    known.text = known.text .. (size == '8' and kind .. '4I4' or kind .. size)
  end
  halved_layouts[layout] = known
  return known
end

-- From now on amounts are pairs.
local function widen()
  local function fitting(high, low)
    if low >= TWO32 then high, low = high + 1, low - TWO32 end
    if low < 0 then high, low = high - 1, low + TWO32 end
    if high > HIGH_MAX or high < HIGH_MIN then return nil end
    return {high, low}
  end
  is_wide, ZERO = true, {0, 0}
  encode = function(layout, ...)
    local known, items, halves = halved(layout), {...}, {}
    for index = 1, known.items do
      local item = items[index]
      if known.amounts[index] then
        halves[#halves + 1], halves[#halves + 2] = item[1], item[2]
      else
        halves[#halves + 1] = item
      end
    end
    return pack(known.text, unpack(halves))
  end
  decode = function(layout, bytes, at)
    local known = halved(layout)
    local halves, items, from = {parse(known.text, bytes, at or 1)}, {}, 1
    for index = 1, known.items do
      if known.amounts[index] then
        items[index], from = {halves[from], halves[from + 1]}, from + 2
      else
        items[index], from = halves[from], from + 1
      end
    end
    return unpack(items)
  end
  check = function() end
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
  equal = function(a, b) return a[1] == b[1] and a[2] == b[2] end
  sum = function(high, low)
    local rest = low % TWO32
    return fitting(high + (low - rest) / TWO32, rest) or error(OVERFLOW)
  end
end

local function smaller(a, b) if less(b, a) then return b end return a end
local function larger(a, b) if less(a, b) then return b end return a end

-- Exact for whole numbers from 0 to 2^53, where a division of doubles would round.
local function quotient(a, b) return (a - fmod(a, b)) / b end
local function quotient_up(a, b)
  local rest = fmod(a, b)
  if rest == 0 then return a / b end
  return (a - rest) / b + 1
end
