// How a browser reads a stream: fetch, EventSource, WebSocket. Each tells the same things, as they happen:
//   opened(status, headers), chunk(text, size), identified(id), ended(how)
// and each returns a handle: leave(), stall(on).

// An EventSource tells only of the events whose names it was asked for.
const NAMES = ["message", "init", "done", "error", "gap", "close", "task", "retrieval", "generation", "content"];

/** fetch with a ReadableStream: everything as it comes, chunk by chunk, comments too. */
export function fetched(url, { method = "GET", body = null, headers = {}, binary = false }, told) {
  const controller = new AbortController();
  const gate = new Gate();
  const type = body === null ? {} : { "content-type": "application/json" };
  const options = { method, body, headers: { ...type, ...headers }, cache: "no-store", signal: controller.signal };
  read(fetch(url, options), gate, binary, told).then(
    () => told.ended("complete"),
    error => told.ended(controller.signal.aborted ? "you left" : `broken off: ${error.message}`),
  );
  return { leave: () => controller.abort(), stall: on => gate.stall(on) };
}

async function read(asked, gate, binary, told) {
  const answer = await asked;
  told.opened(answer.status, [...answer.headers]);
  const multipart = (answer.headers.get("content-type") ?? "").startsWith("multipart/");
  if (answer.body === null) return;
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  const ids = new Ids(id => told.identified(id));
  for (;;) {
    await gate.passed();
    const { done, value } = await reader.read();
    const text = binary || multipart ? null : decoder.decode(value, { stream: !done });
    if (done) {
      if (text) told.chunk(text, 0);
      return;
    }
    if (text !== null) ids.feed(text);
    told.chunk(text, value.length);
  }
}

/** EventSource: what the browser makes of the events. It would come back by itself; here it is let go at the end. */
export function evented(url, told) {
  const source = new EventSource(url);
  const encoder = new TextEncoder();
  let over = false;
  const end = how => {
    if (!over) told.ended(how);
    over = true;
    source.close();
  };
  source.onopen = () => told.opened(200, [["content-type", "text/event-stream"]]);
  for (const name of NAMES) {
    source.addEventListener(name, event => {
      if (!(event instanceof MessageEvent)) {
        end(source.readyState === EventSource.CONNECTING ? "complete" : "refused: no event stream");
        return;
      }
      const lines = [name === "message" ? null : `event: ${name}`, `data: ${event.data.replaceAll("\n", "\ndata: ")}`];
      const text = lines.filter(line => line !== null).join("\n") + "\n\n";
      if (event.lastEventId) told.identified(event.lastEventId);
      told.chunk(text, encoder.encode(text).length);
    });
  }
  return { leave: () => end("you left"), stall: () => {} };
}

/** WebSocket: a question, its answer, and a good-bye. */
export function talked(path, question, told) {
  const socket = new WebSocket(path.replace(/^/, `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}`));
  let left = false;
  socket.onopen = () => {
    told.opened(101, []);
    socket.send(question);
  };
  socket.onmessage = event => {
    told.chunk(`${event.data}\n`, new Blob([event.data]).size);
    if (event.data === question) socket.close(1000); // an echo: that was all
    else if (event.data.includes('"done"')) socket.send('{"type": "close"}');
  };
  socket.onclose = event => told.ended(left ? "you left" : event.code === 1006 ? "broken off" : `closed with ${event.code}`);
  return {
    leave: () => {
      left = true;
      socket.close(1000);
    },
    stall: () => {},
  };
}

/** What lets a reader go on, or not. */
class Gate {
  #open = Promise.resolve();
  #let = null;
  stall(on) {
    if (on && this.#let === null) this.#open = new Promise(resolve => { this.#let = resolve; });
    else if (!on && this.#let !== null) {
      this.#let();
      this.#let = null;
    }
  }
  passed() { return this.#open; }
}

/** The ids of the events in a text that comes in pieces. */
class Ids {
  #line = "";
  #tell;
  constructor(tell) { this.#tell = tell; }
  feed(text) {
    const lines = (this.#line + text).split(/\r\n|\r|\n/);
    this.#line = lines.pop().slice(0, 10_000);
    for (const line of lines) if (line.startsWith("id:")) this.#tell(line.slice(3).trim());
  }
}
