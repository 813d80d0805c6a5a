-- Where an account stands.
define('amounts', function()
  enter()
  show(account_of(call('HGET', KEYS[6], 'a')))
  return answer(OK)
end, WHERE_MEMORY_IS_FULL)
