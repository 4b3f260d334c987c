// One app's answer: what the browser received, chunk by chunk, and the figures.
import { bytes, el, seconds } from "./dom.js";

const MOST_ROWS = 200, MOST_SHOWN = 2000, MOST_KEPT = 2_000_000;
export const NAMES = { rawasgi: "rawasgi", FastAPI: "FastAPI", naked: "by hand" };

export class Lane {
  constructor(side) {
    this.side = side;
    this.status = el("span", { class: "status" });
    this.type = el("span", { class: "type" });
    this.headers = el("dl", { class: "headers" });
    this.output = el("ol", { class: "output", tabindex: "0", "aria-label": `What came from ${NAMES[side]}` });
    this.figures = {};
    const figure = name => el("div", {}, el("dt", {}, name), this.figures[name] = el("dd", {}, "–"));
    this.node = el("article", { class: `lane ${side}`, dataset: { side } },
      el("header", {}, el("h3", {}, NAMES[side]), this.status, this.type),
      el("dl", { class: "figures" }, ["first byte", "messages", "bytes", "longest gap", "end", "source"].map(figure)),
      el("details", {}, el("summary", {}, "Headers"), this.headers),
      this.output);
    this.reset();
  }

  reset() {
    this.text = "";
    this.received = 0;
    this.chunks = 0;
    this.first = null;
    this.lastId = null;
    this.etag = null;
    this.handle = null;
    this.how = null; // how it ended, as the browser has it
    this.server = null; // how it ended, as the tracer has it
    this.sent = { messages: 0, bytes: 0, gap: 0, last: null };
    this.leftAt = null;
    this.aligned = false;
    this.rows = [];
    this.output.replaceChildren();
    this.headers.replaceChildren();
    this.node.dataset.state = "idle";
    this.status.textContent = this.type.textContent = "";
    for (const figure of Object.values(this.figures)) figure.replaceChildren("–");
    this.node.querySelector("details").hidden = true;
  }

  get running() { return this.handle !== null && this.how === null; }

  // From the browser

  start(handle, at) {
    this.handle = handle;
    this.how = null;
    this.server = null;
    this.sent.last = null;
    this.begun = at;
    this.node.dataset.state = "running";
    this.figures.end.textContent = "…";
    this.figures.source.textContent = "…";
    this.figures.source.className = this.figures.end.className = "";
  }

  opened(status, headers) {
    this.status.textContent = status;
    this.status.classList.toggle("bad", status >= 400);
    this.type.textContent = headers.find(([name]) => name === "content-type")?.[1] ?? "";
    this.etag = headers.find(([name]) => name === "etag")?.[1] ?? this.etag;
    this.headers.replaceChildren(...headers.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
    this.node.querySelector("details").hidden = headers.length === 0;
  }

  chunk(text, size, at) {
    this.chunks += 1;
    this.received += size;
    if (this.first === null) {
      this.first = at - this.begun;
      this.figures["first byte"].textContent = seconds(this.first);
    }
    if (text !== null && this.text.length < MOST_KEPT) this.text += text;
    this.rows.push([at, text === null ? `${size.toLocaleString("en")} bytes` : text, text === null]);
  }

  ended(how) {
    this.how = how;
    this.node.dataset.state = how === "complete" || how.startsWith("closed") ? "complete" : how === "you left" ? "left" : "bad";
    if (this.server === null) this.figures.end.textContent = how;
  }

  // From the tracer

  message(seen) {
    if (seen.arrow === "<") {
      if (seen.type.endsWith(".disconnect")) this.leftAt = seen.at;
      return;
    }
    const sent = this.sent;
    sent.messages += 1;
    if (seen.size) {
      if (sent.last !== null) sent.gap = Math.max(sent.gap, seen.at - sent.last);
      sent.last = seen.at + seen.took;
      sent.bytes += seen.size;
      sent.first ??= seen.at;
    }
    this.changed = true;
  }

  end(seen) {
    this.server = seen.end;
    this.sent.total = seen;
    this.figures.end.textContent = seen.end;
    this.figures.end.className = ["complete", "client left"].includes(seen.end) ? "" : "bad";
    this.changed = true;
  }

  source(seen) {
    const cell = this.figures.source;
    const open = seen.open.length > 0;
    cell.className = open ? "bad" : seen.late === undefined ? "good" : "bad";
    if (!seen.seen) cell.className = "";
    const left = this.leftAt === null || this.server !== "client left" ? null : Math.max(0, seen.at - this.leftAt);
    cell.textContent = !seen.seen ? "none" : open ? `still open after ${seconds(seen.late ?? 0)}`
      : seen.late !== undefined ? `closed ${seconds(seen.late)} late, by the garbage collector`
      : left === null ? "closed" : `closed ${seconds(left)} after leaving`;
    if (open && seen.late === undefined) cell.textContent = "still open";
  }

  // On the screen, once a frame

  draw() {
    if (this.rows.length) {
      const near = this.output.scrollHeight - this.output.scrollTop - this.output.clientHeight < 60;
      this.output.append(...this.rows.splice(0).slice(-MOST_ROWS).map(([at, text, only]) => row(at, text, only)));
      while (this.output.childElementCount > MOST_ROWS) this.output.firstElementChild.remove();
      if (near) this.output.scrollTop = this.output.scrollHeight;
    }
    if (!this.changed) return;
    this.changed = false;
    const { messages, bytes: size, gap, total } = this.sent;
    this.figures.messages.textContent = Math.max(messages, total?.messages ?? 0).toLocaleString("en");
    const wire = Math.max(size, total?.bytes ?? 0);
    const unpacked = this.how && this.received > wire ? `, ${bytes(this.received)} unpacked` : "";
    this.figures.bytes.textContent = bytes(wire) + unpacked;
    this.figures["longest gap"].textContent = gap ? seconds(gap) : "–";
  }
}

/** One chunk: when it came, and what it was; its ends of line are seen. */
function row(at, text, only) {
  const shown = text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)} … ${(text.length - MOST_SHOWN).toLocaleString("en")} more` : text;
  const lines = shown.match(/\n*$/)[0].length;
  return el("li", {},
    el("time", {}, at.toFixed(3)),
    el("span", { class: only ? "only" : "" }, shown.slice(0, shown.length - lines), el("i", {}, "↵".repeat(Math.min(lines, 4)))));
}
