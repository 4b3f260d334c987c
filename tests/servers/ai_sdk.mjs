// What Vercel's AI SDK makes of our streams: node ai_sdk.mjs MODULES ORIGIN PREFIX ... prints JSON, an object a prefix.
// MODULES has its packages in node_modules; below ORIGIN and each PREFIX are the rows, with the model of v1.py.
import { createRequire } from "node:module";

const [modules, origin, ...prefixes] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { AbstractChat, DefaultChatTransport, readUIMessageStream, streamText } = require("ai");
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");

const counts = async () => (await fetch(`${origin}/seen`)).json();

async function until(true_) {
  while (!(await true_())) await new Promise(resolve => setTimeout(resolve, 10));
}

// How many answers of the model are not released yet, when nothing else runs
const left = async () => {
  const { opened = 0, released = 0 } = await counts();
  return opened - released;
};

// The parts of a row that is asked with GET, where the SDK would POST; each state that the message went through
async function read(url) {
  const transport = new DefaultChatTransport({
    fetch: (_, { signal }) => fetch(url, { signal }),
  });
  const states = [], errors = [];
  try {
    const stream = await transport.sendMessages({ chatId: "c1", messages: [], trigger: "submit-message" });
    const onError = error => errors.push(String(error.message ?? error));
    for await (const message of readUIMessageStream({ stream, onError })) states.push(message);
  } catch (error) {
    errors.push(String(error.message));
  }
  return { message: states.at(-1) ?? null, states: states.length, errors };
}

// What useChat is made of, without React
class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = message => void this.messages.push(message);
  popMessage = () => void this.messages.pop();
  replaceMessage = (at, message) => void (this.messages[at] = message);
  snapshot = value => structuredClone(value);
}
class Chat extends AbstractChat {}
const chatting = api => new Chat({ state: new State(), transport: new DefaultChatTransport({ api }) });
const said = chat => ({
  texts: chat.messages.map(message => message.parts.map(part => part.text ?? "").join("")),
  metadata: chat.lastMessage?.metadata ?? null,
  status: chat.status,
  error: chat.error?.message ?? null,
});

async function talk(api, ...texts) {
  const chat = chatting(api);
  for (const text of texts) await chat.sendMessage({ text });
  return said(chat);
}

// The stop button, when something is there to read
async function stopped(api) {
  const chat = chatting(api);
  const sending = chat.sendMessage({ text: "wait" });
  await until(() => chat.lastMessage?.parts.some(part => part.text === "a "));
  const open = await left();
  await chat.stop();
  await sending;
  await until(async () => (await left()) < open);
  return said(chat);
}

// The SDK's provider for servers that speak OpenAI's chat completions
async function generated(baseURL, prompt, abort) {
  const provider = createOpenAICompatible({ name: "ours", baseURL, includeUsage: true });
  const errors = [], pieces = [];
  const before = abort ? await left() : 0;
  const leaving = new AbortController();
  const result = streamText({
    model: provider("m"), prompt, maxRetries: 0, abortSignal: leaving.signal,
    onError: ({ error }) => errors.push({ status: error.statusCode ?? null, text: String(error.message ?? error) }),
  });
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") pieces.push(part.text);
    if (part.type === "abort") errors.push("abort");
    if (abort && pieces.length) leaving.abort();
  }
  if (abort) await until(async () => (await left()) <= before);
  const ended = errors.length ? {} : { reason: await result.finishReason, usage: await result.usage };
  return { text: pieces.join(""), pieces: pieces.length, errors, ...ended };
}

const found = {};
for (const prefix of prefixes) {
  const url = origin + prefix, chat = `${url}/api/chat`, v1 = `${url}/v1`;
  const each = {
    row: read(`${url}/formats/ui?text=${encodeURIComponent("流式 👩‍👩‍👧")}`),
    talk: talk(chat, "你好", "再见"),
    failing: talk(chat, "fail"),
    busy: talk(chat, "busy"),
    text: generated(v1, "你好"),
    text_failing: generated(v1, "fail"),
    text_busy: generated(v1, "busy"),
  };
  if (!prefix) for (const [name, path] of Object.entries({ parts: "parts", failed: "fail", cut: "cut" })) {
    each[name] = read(`${url}/ui/${path}`);
  }
  const here = found[prefix] = {};
  for (const [name, promise] of Object.entries(each)) here[name] = await promise;
  here.stopped = await stopped(chat);
  here.text_stopped = await generated(v1, "wait", true);
}
console.log(JSON.stringify(found));
