-- posted + pending of a key in four windows. ARGV 2 key, 3 first and last day of day, week and month; 4 what
-- the ledger has of the key where its account does not know it.
define('key_spend', function()
  enter()
  local blob = call('HGET', KEYS[6], 'k' .. ARGV[2]) or ARGV[4]
  if blob == '' then return answer(OK, '') end
  local k, d = key_of(blob), {parse('>i4i4i4i4i4i4', ARGV[3])}
  local spent = {(in_window(k, 1)), (in_window(k, 2, d[1], d[2])), (in_window(k, 3, d[3], d[4])), (in_window(k, 4, d[5], d[6]))}
  local packed = {}
  for index = 1, 4 do packed[index] = encode('>i8', spent[index]) end
  return answer(OK, table.concat(packed))
end, WHERE_MEMORY_IS_FULL)
