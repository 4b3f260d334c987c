// Whether two bodies say the same: byte for byte, or, read as events or JSON, in what they mean.

// What is new in each answer, whoever gives it.
const FRESH = [
  [/\[\d\d:\d\d:\d\d\]/g, "[time]"],
  [/"(timestamp|created|process_cpu_seconds|load|\w+_bytes)": ?[\d.e+-]+/g, '"$1": 0'],
  [/chatcmpl-[0-9a-f]{24}/g, "chatcmpl-id"],
  [/[0-9a-f]{8}-[0-9a-f]{8}-(?=[0-9])/g, "id-"],
  [/(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])/g, "name"],
];

/** "same", "meaning" (the same, written differently) or "different". */
export function agreement(one, other) {
  const [a, b] = [settled(one), settled(other)];
  if (a === b) return "same";
  return JSON.stringify(meaning(a)) === JSON.stringify(meaning(b)) ? "meaning" : "different";
}

function settled(text) {
  return FRESH.reduce((before, [pattern, instead]) => before.replace(pattern, instead), text);
}

function meaning(text) {
  const blocks = /^(data|event|id|retry|):/m.test(text) ? text.split(/\n\n+/) : null;
  if (blocks === null) return text.split("\n").map(value);
  return blocks.filter(Boolean).map(block => {
    const fields = { event: null, data: [], comment: [] };
    for (const line of block.split("\n")) {
      const [, name, rest] = line.match(/^([^:]*):? ?(.*)$/);
      if (name === "data") fields.data.push(rest);
      else if (name === "event") fields.event = rest;
      else if (name === "") fields.comment.push(rest);
    }
    return { ...fields, data: value(fields.data.join("\n")) };
  });
}

function value(text) {
  try {
    return sorted(JSON.parse(text));
  } catch {
    return text;
  }
}

function sorted(found) {
  if (Array.isArray(found)) return found.map(sorted);
  if (found === null || typeof found !== "object") return found;
  return Object.fromEntries(Object.keys(found).sort().map(key => [key, sorted(found[key])]));
}
