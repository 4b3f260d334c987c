"""What Redis does for a journal in one go, in Lua: append, end, look; and trim.

Theory of operation
===================

**One stream a topic, one script for what is atomic.** An entry's stream id is ``base-number``: *number* counts from 1
without a hole, *base* is the server's time in microseconds when the stream was made, and the epoch is its last 8 hex
digits. So a later life has greater stream ids, and a reader that still asks for what comes after an old one gets it.
The script reads the newest entry, adds one and trims; the end is an entry whose text is empty, and it is always the
newest. All that must be known stands in the entries, so a stream that is there is whole.

**Who retries does not double.** When a connection breaks, nobody knows whether the last command was done. Each append
has a number of its producer, and the script keeps the last one for two minutes, with what became of it.

**What is exact.** max_items, max_bytes (of the texts as they are kept) and the order are exact. max_age is exact when
something is appended or a follower comes. A topic is forgotten, as if it had never been, *max_idle* after its last
append. The bounds are those of whoever appends: give the same ones to all.

Called with the keys of the topic and of its producer, and doing, max_items, max_bytes, max_age, max_idle (milliseconds,
0 for none), the last id that is known, the text, and the producer's number of it. Answers base, first, last, ended;
*ended* is 2 for an append that came too late.
"""

SCRIPT = """
local key, producer = KEYS[1], KEYS[2]
local doing, items, bytes, age, idle, known, text, count = unpack(ARGV)
local function read(entry)
  local base, number = entry[1]:match('(%d+)-(%d+)')
  local fields = entry[2]
  return {base = base, number = tonumber(number), text = fields[2], at = tonumber(fields[4]), sum = tonumber(fields[6])}
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
local last = newest and read(newest) or {base = '0', number = 0, sum = 0}
if doing == 'append' then
  local had, base, number = (redis.call('GET', producer) or ''):match('(%d+) (%d+) (%d+)')
  if had and tonumber(had) >= tonumber(count) then return {base, tonumber(number), tonumber(number), 0} end
end
if doing ~= 'look' and last.text ~= '' then
  local base, number = known:match('(%d+)-(%d+)')
  base, number = tonumber(base), tonumber(number)
  local here = tonumber(last.base)
  if not newest or here < base or (here == base and last.number < number) then
    redis.call('DEL', key)
    last = {base = string.format('%.0f', math.max(clock[1] * 1000000 + clock[2], base + 1)), number = 0, sum = 0}
  end
  last = {base = last.base, number = last.number + 1, text = text, at = now, sum = last.sum + #text}
  redis.call('XADD', key, last.base .. '-' .. last.number, 'e', text, 't', now, 'b', last.sum)
  if idle ~= '0' then redis.call('PEXPIRE', key, idle) end
  if doing == 'append' then
    redis.call('SET', producer, count .. ' ' .. last.base .. ' ' .. last.number, 'PX', 120000)
    doing = 'appended'
  end
end
if last.number == 0 then return {'0', 1, 0, 0} end
local mark = last.text == '' and 1 or 0
while true do
  local first = read(redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1])
  local kept = last.number - first.number + 1 - mark
  if kept <= 1 or (kept <= tonumber(items) and last.sum - first.sum + #first.text <= tonumber(bytes)
      and (age == '0' or first.at >= now - age)) then
    return {last.base, first.number, last.number - mark, doing == 'append' and 2 or mark}
  end
  redis.call('XDEL', key, first.base .. '-' .. first.number)
end
"""
