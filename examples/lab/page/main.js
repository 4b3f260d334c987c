// The page: which stream is chosen, how it is run, and what the keys do.
import { agreement } from "./agreement.js";
import { Checks } from "./checks.js";
import { $, el, fresh } from "./dom.js";
import { keys } from "./keys.js";
import { Lane, NAMES } from "./lane.js";
import { List } from "./list.js";
import { Messages } from "./messages.js";
import { Source } from "./source.js";
import { Timeline } from "./timeline.js";
import { evented, fetched, talked } from "./transport.js";

const QUESTION = "什么是异步编程？";

class Lab {
  constructor(rows) {
    this.rows = rows;
    this.lanes = [];
    this.following = null;
    this.source = new Source($("source"));
    this.timeline = new Timeline($("timeline"), seen => this.source.mark(seen));
    this.messages = new Messages($("messages"), seen => this.source.mark(seen));
    this.checks = new Checks($("checks"));
    this.list = new List(rows, (row, focus) => this.go(row, focus));
    addEventListener("hashchange", () => this.asked() === this.row || this.choose(this.asked()));
    this.choose(this.asked());
  }

  asked() {
    const number = Number(location.hash.replace("#row-", ""));
    return this.rows.find(row => row.number === number) ?? this.row ?? this.rows[2];
  }

  /** Choose *row*, and say so in the address. */
  go(row, focus = false) {
    this.focus = focus;
    if (row === this.row) this.list.choose(row, focus);
    else {
      location.hash = `row-${row.number}`;
      this.choose(row); // at once: the hash is told later
    }
  }

  choose(row) {
    this.stop();
    this.row = row;
    document.title = `${row.number} ${row.path}: the lab`;
    $("number").textContent = row.number;
    $("path").textContent = `${row.method === "GET" ? "" : `${row.method} `}${decoded(row.example)}`;
    $("summary").textContent = row.summary;
    $("lesson").textContent = row.lesson;
    $("lesson").hidden = !row.lesson;
    $("range").hidden = $("again").hidden = row.kind !== "file";
    $("naked").hidden = !row.paths.naked;
    $("head").disabled = row.method !== "GET";
    $("eventsource").disabled = !(row.kind === "sse" && row.method === "GET");
    $("gzip").disabled = row.method === "WS";
    this.list.choose(row, this.focus);
    this.focus = false;
    this.checks.load(row);
    this.prepare();
    document.body.classList.remove("listing");
    $("menu").setAttribute("aria-expanded", "false");
  }

  /** The lanes of the row, empty. */
  prepare() {
    this.stop();
    const sides = Object.keys(this.row.paths).filter(side => side !== "naked" || pressed("naked"));
    this.lanes = sides.map(side => new Lane(side));
    $("lanes").replaceChildren(...this.lanes.map(lane => lane.node));
    $("lanes").dataset.count = sides.length;
    $("agreement").textContent = "";
    this.timeline.reset(sides);
    this.messages.reset(sides);
    this.source.load(this.row, sides);
    this.t0 = null;
    this.buttons();
  }

  // Running

  /** Ask all lanes. *more*: method, headers; *on*: it goes on with what is there. */
  run({ method = this.row.method, headers = () => ({}), on = false, note = "" } = {}) {
    this.stop();
    if (!on || this.t0 === null) {
      for (const lane of this.lanes) lane.reset();
      this.timeline.reset(this.lanes.map(lane => lane.side));
      this.messages.reset(this.lanes.map(lane => lane.side));
      this.t0 = performance.now();
    } else this.timeline.note(this.now, note);
    $("agreement").textContent = "";
    const run = (this.current = { id: fresh(), method, over: 0 });
    this.follow(run);
    for (const lane of this.lanes) lane.start(this.ask(lane, run, headers(lane)), this.now);
    this.wake();
    this.buttons();
  }

  get now() { return (performance.now() - this.t0) / 1000; }

  ask(lane, run, headers) {
    const { row } = this;
    const path = row.paths[lane.side];
    const coding = pressed("gzip") ? "&lab-coding=gzip" : "";
    const url = `${path}${path.includes("?") ? "&" : "?"}lab=${run.id}${coding}`;
    const mine = does => (...what) => { if (run === this.current) does(...what); };
    const told = {
      opened: mine((status, found) => lane.opened(status, found)),
      identified: mine(id => { lane.lastId = id; }),
      chunk: mine((text, size) => {
        lane.chunk(text, size, this.now);
        this.timeline.arrived(lane.side, this.now, size);
        this.align(lane);
      }),
      ended: mine(how => {
        lane.ended(how);
        this.wake();
        this.buttons();
        this.compare();
      }),
    };
    if (row.method === "WS") return talked(url, QUESTION, told);
    const plain = run.method === "GET" && !Object.keys(headers).length;
    if (pressed("eventsource") && !$("eventsource").disabled && plain) return evented(url, told);
    const body = run.method === "POST" ? row.body ?? "" : null;
    return fetched(url, { method: run.method, body, headers, binary: row.kind === "file" }, told);
  }

  /** What the tracer sees of this run, over our own server-sent events. */
  follow(run) {
    const source = (this.following = new EventSource(`/lab/messages/${run.id}?calls=${this.lanes.length}`));
    const heard = event => this.see(JSON.parse(event.data));
    source.onmessage = heard;
    source.addEventListener("over", heard);
    source.addEventListener("end", () => source.close());
  }

  see(seen) {
    const lane = this.lanes.find(each => each.side === seen.side);
    if (!lane) return;
    if (seen.kind === "call") this.timeline.call(seen.at);
    if (this.timeline.origin === null) return;
    const at = seen.at - this.timeline.origin;
    this.wake();
    if (seen.kind === "message") {
      lane.message(seen);
      this.timeline.message(seen);
      this.align(lane);
      this.messages.add(seen, at);
      this.source.mark(seen);
    } else if (seen.kind === "held") this.timeline.held(seen);
    else if (seen.kind === "ended") {
      lane.end(seen);
      this.timeline.ended(seen);
      this.messages.end(seen, at);
      this.source.mark(seen);
      $("said").textContent = `${NAMES[lane.side]}: ${seen.end}, ${seen.messages} messages`;
    } else if (seen.kind === "source") {
      lane.source(seen);
      this.timeline.source(seen);
    } else if (seen.kind === "over") {
      this.current.over += 1;
      lane.node.dataset.over = "true";
    }
  }

  align(lane) {
    if (lane.chunks && lane.sent.first !== undefined && !lane.aligned) {
      lane.aligned = true;
      this.timeline.align(lane.begun + lane.first, lane.sent.first);
    }
  }

  leave() {
    if (!this.running) return;
    this.timeline.note(this.now, "you left");
    for (const lane of this.lanes) if (lane.running) lane.handle.leave();
  }

  stall() {
    if (!this.running) return;
    const on = !pressed("stall");
    $("stall").setAttribute("aria-pressed", on);
    this.timeline.note(this.now, on ? "you read no further" : "you read on");
    for (const lane of this.lanes) lane.handle?.stall(on);
  }

  reconnect() {
    if ($("reconnect").disabled) return;
    this.run({ on: true, note: "you came back", headers: lane => (lane.lastId === null ? {} : { "last-event-id": lane.lastId }) });
  }

  /** Let go of everything. */
  stop() {
    this.current = null;
    this.following?.close();
    for (const lane of this.lanes) if (lane.running) lane.handle.leave();
    $("stall").setAttribute("aria-pressed", "false");
  }

  get running() { return this.lanes.some(lane => lane.running); }

  buttons() {
    $("leave").disabled = !this.running;
    $("stall").disabled = !this.running || this.row.method === "WS" || (pressed("eventsource") && !$("eventsource").disabled);
    $("reconnect").disabled = this.running || this.row.kind !== "sse" || !this.lanes.some(lane => lane.lastId !== null);
    $("again").disabled = this.running || !this.lanes.some(lane => lane.etag !== null);
  }

  compare() {
    const [one, other] = this.lanes;
    if (this.running || !other || [one, other].some(lane => lane.how === "you left" || !lane.chunks)) return;
    const found = one.text || other.text ? agreement(one.text, other.text) : one.received === other.received ? "size" : "different";
    $("agreement").dataset.found = found;
    $("agreement").textContent = {
      same: "Both bodies say the same, byte for byte.",
      meaning: "Both bodies say the same, written differently.",
      size: "Both bodies are of the same size.",
      different: "The bodies differ.",
    }[found];
  }

  /** Bring what came to the screen, soon; while something runs, 25 times a second. */
  wake() {
    this.timer ??= setTimeout(() => requestAnimationFrame(() => {
      this.timer = null;
      this.draw();
    }), 40);
  }

  draw() {
    for (const lane of this.lanes) lane.draw();
    this.messages.draw();
    this.timeline.draw(this.running ? this.now : null);
    if (this.running) this.wake();
  }
}

function pressed(id) { return $(id).getAttribute("aria-pressed") === "true"; }

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const rows = await (await fetch("/lab/streams")).json();
const lab = new Lab(rows);
globalThis.lab = lab; // for the console
keys(lab);
document.body.classList.add("ready");
if (!rows.length) document.body.append(el("p", {}, "There are no streams."));
