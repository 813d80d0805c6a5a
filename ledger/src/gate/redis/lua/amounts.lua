-- Where an account stands.
return run(function()
  enter()
  show(account_of(redis.call('HGET', KEYS[6], 'a')))
  return answer(OK)
end)
