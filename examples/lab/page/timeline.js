// The time line: a track an app on one scale; sent above the axis, received below it, and what the browser got.
import { $, bytes, el, seconds, set, svg } from "./dom.js";
import { NAMES } from "./lane.js";

const STEPS = [0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 300, 600];
const AXIS = 42, HEIGHT = 76, MOST_MARKS = 700, NEAR = 14;

export class Timeline {
  constructor(node, chosen) {
    this.node = node;
    this.chosen = chosen; // told of the message that is looked at
    this.tracks = new Map();
  }

  /** Begin anew, with a track for each of *sides*. */
  reset(sides) {
    this.span = STEPS[0];
    this.origin = null; // of the server's clock
    this.aligned = false;
    this.skew = 0; // how much the browser's clock is before it: what arrives at once has arrived when it was sent
    this.tracks = new Map(sides.map(side => [side, new Track(side, this)]));
    this.ticks = el("div", { class: "ticks", "aria-hidden": "true" });
    this.empty = el("p", { class: "empty" }, el("span", {}, "Nothing yet. Run it, and each message is a mark at its time."));
    this.node.replaceChildren(...[...this.tracks.values()].map(track => track.node), this.ticks, this.empty);
    this.scale();
  }

  /** A call has begun, *at* by the server's clock. */
  call(at) {
    this.origin ??= at;
    this.empty.hidden = true;
  }

  /** The first chunk has come, of a message that is known: so the clocks can be compared. */
  align(arrived, sent) {
    const skew = Math.max(0, arrived - (sent - this.origin));
    if (this.aligned && skew >= this.skew) return;
    this.aligned = true;
    this.skew = skew;
    for (const track of this.tracks.values()) track.place();
  }

  x(at) { return `${(100 * at) / this.span}%`; }

  /** See to it that *at* is on the scale. */
  reach(at) {
    if (at <= this.span * 0.98) return;
    this.span = STEPS.find(step => at <= step * 0.98) ?? at * 1.5;
    this.scale();
    for (const track of this.tracks.values()) track.place();
  }

  scale() {
    const unit = this.span / 5;
    const label = value => (this.span < 1 ? `${+(value * 1000).toFixed(1)} ms` : `${+value.toFixed(2)} s`);
    this.ticks.replaceChildren(...Array.from({ length: 6 }, (_, index) => {
      const tick = el("span", {}, label(unit * index));
      tick.style.left = `${index * 20}%`;
      return tick;
    }));
  }

  message(seen) { this.tracks.get(seen.side)?.add(seen, seen.at - this.origin); }

  held(seen) { this.tracks.get(seen.side)?.hold(seen.at - this.origin); }

  arrived(side, at, size) { this.tracks.get(side)?.arrive(at, size); }

  ended(seen) { this.tracks.get(seen.side)?.end(seen, seen.at - this.origin); }

  source(seen) { this.tracks.get(seen.side)?.source(seen, seen.at - this.origin); }

  /** A line across all tracks: what the reader of the page did. */
  note(at, text) {
    this.reach(at);
    for (const track of this.tracks.values()) track.note(at, text);
  }

  draw(now) {
    if (now !== null) this.reach(now);
    for (const track of this.tracks.values()) track.now(now === null ? null : Math.max(0, now - this.skew));
  }
}

class Track {
  constructor(side, line) {
    this.line = line;
    this.marks = []; // {at, took, node, seen, above}
    this.others = [];
    this.at = -1; // the mark that has the focus
    this.cursor = svg("line", { class: "now", y1: 2, y2: HEIGHT - 2, visibility: "hidden" });
    this.focus = svg("circle", { class: "focus", r: 4, visibility: "hidden" });
    this.area = svg("svg", {
      height: HEIGHT, tabindex: "0", role: "application", "aria-roledescription": "track",
      "aria-label": `Messages of ${NAMES[side]}: left and right arrows go from one to the next`,
      onpointermove: event => this.point(event),
      onpointerdown: event => this.point(event),
      onpointerleave: () => this.look(-1),
      onblur: () => this.look(-1),
      onkeydown: event => this.key(event),
    }, svg("line", { class: "axis", x1: 0, x2: "100%", y1: AXIS, y2: AXIS }), this.cursor, this.focus);
    this.node = el("div", { class: `track ${side}` }, el("span", { class: "name" }, NAMES[side]), this.area);
  }

  add(seen, at) {
    this.hold(null);
    this.line.reach(seen.arrow === ">" ? at + seen.took : at); // what was received was waited for before
    if (this.marks.length >= MOST_MARKS) return;
    const above = seen.arrow === ">";
    const tall = above ? 8 + Math.min(26, 4 * Math.log2(1 + seen.size / 4)) : 12;
    const kind = seen.type.split(".").at(-1);
    const node = svg("rect", {
      class: `mark ${above ? "sent" : "received"} ${kind}${seen.problem ? " bad" : ""}${above && !seen.size ? " hollow" : ""}`,
      y: above ? AXIS - tall - 1 : AXIS + 2, height: tall, rx: 1.5, width: 3,
    });
    this.marks.push({ at, took: seen.took, node, seen, above });
    this.area.insertBefore(node, this.cursor);
    this.put(this.marks.at(-1));
  }

  put(mark) {
    mark.node.setAttribute("x", this.line.x(mark.at));
    const wide = mark.above ? (100 * mark.took) / this.line.span : 0;
    mark.node.setAttribute("width", wide > 0.6 ? `${wide}%` : 3);
    mark.node.classList.toggle("held", wide > 0.6);
  }

  /** A send that has not returned: a bar that grows with the time. */
  hold(at) {
    this.waiting?.node.remove();
    this.waiting = at === null ? null : { at, node: svg("rect", { class: "mark pending", y: AXIS - 9, height: 8, rx: 1.5 }) };
    if (this.waiting) this.area.insertBefore(this.waiting.node, this.cursor);
  }

  arrive(at, size) {
    this.line.reach(at);
    if (this.others.length < MOST_MARKS) this.other("circle", { class: "arrived", cy: HEIGHT - 9, r: size > 60_000 ? 3 : 2 }, "cx", at, true);
  }

  end(seen, at) {
    this.hold(null);
    this.line.reach(at);
    const well = seen.end === "complete" ? "complete" : seen.end === "client left" ? "left" : "bad";
    this.other("circle", { class: `end ${well}`, cy: AXIS, r: 5 }, "cx", at);
  }

  source(seen, at) {
    this.line.reach(at);
    if (seen.open.length && seen.late === undefined) this.open = at;
    if (this.open === undefined) return;
    this.bar?.remove();
    this.bar = svg("rect", { class: "open", y: AXIS - 2, height: 4, rx: 2 });
    this.area.insertBefore(this.bar, this.cursor);
    this.until = seen.late === undefined ? null : at;
    this.place();
  }

  note(at, text) {
    this.other("line", { class: "note", y1: 2, y2: HEIGHT - 2 }, "x1 x2", at, true);
    this.other("text", { class: "note", y: 11, dx: 5 }, "x", at, true).textContent = text;
  }

  /** Something else at a time; *browsers*: by the browser's clock. */
  other(name, attributes, places, at, browsers = false) {
    const node = svg(name, attributes);
    this.area.insertBefore(node, this.cursor);
    this.others.push({ at, node, places: places.split(" "), browsers });
    this.move(this.others.at(-1));
    return node;
  }

  move({ at, node, places, browsers }) {
    for (const place of places) node.setAttribute(place, this.line.x(Math.max(0, browsers ? at - this.line.skew : at)));
  }

  place() {
    this.marks.forEach(mark => this.put(mark));
    this.others.forEach(other => this.move(other));
    if (this.bar) {
      const until = this.until ?? this.line.span;
      set(this.bar, { x: this.line.x(this.open), width: `${Math.max(0, (100 * (until - this.open)) / this.line.span)}%` });
    }
  }

  now(at) {
    this.cursor.setAttribute("visibility", at === null ? "hidden" : "visible");
    if (at === null) return;
    set(this.cursor, { x1: this.line.x(at), x2: this.line.x(at) });
    if (this.waiting) {
      const wide = Math.max(0, (100 * (at - this.waiting.at)) / this.line.span);
      set(this.waiting.node, { x: this.line.x(this.waiting.at), width: `${wide}%` });
    }
  }

  // Looking at one

  point(event) {
    const box = this.area.getBoundingClientRect();
    const x = event.clientX - box.left, above = event.clientY - box.top <= AXIS;
    let best = -1, distance = NEAR;
    this.marks.forEach((mark, index) => {
      const begin = (mark.at / this.line.span) * box.width;
      const end = begin + Math.max(3, (mark.above ? mark.took / this.line.span : 0) * box.width);
      const off = Math.max(begin - x, x - end, 0) + (mark.above === above ? 0 : 6);
      if (off < distance) [best, distance] = [index, off];
    });
    this.look(best);
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined || !this.marks.length) return;
    event.preventDefault();
    event.stopPropagation();
    this.look(Math.min(this.marks.length - 1, Math.max(0, this.at + step)));
  }

  look(index) {
    this.at = index;
    const mark = this.marks[index];
    const tip = $("tip");
    tip.hidden = !mark;
    this.focus.setAttribute("visibility", mark ? "visible" : "hidden");
    if (!mark) return;
    set(this.focus, { cx: this.line.x(mark.at), cy: mark.above ? AXIS - 4 : AXIS + 6 });
    tip.replaceChildren(...described(mark.seen, mark.at));
    const box = this.area.getBoundingClientRect();
    const left = box.left + (mark.at / this.line.span) * box.width;
    tip.style.left = `${Math.max(8, Math.min(left + 10, innerWidth - tip.offsetWidth - 8))}px`;
    const below = box.bottom + 6;
    tip.style.top = `${below + tip.offsetHeight < innerHeight ? below : Math.max(8, box.top - tip.offsetHeight - 6)}px`;
    this.line.chosen(mark.seen);
  }
}

/** A message as it was sent: when, how long it was held up, and the dict itself. */
export function described(seen, at) {
  const facts = [`${seen.arrow === ">" ? "sent" : "received"} at ${seconds(at)}`];
  if (seen.size) facts.push(bytes(seen.size));
  if (seen.took > 0.0005) facts.push(seen.arrow === ">" ? `send() took ${seconds(seen.took)}` : `waited for ${seconds(seen.took)}`);
  return [
    el("p", { class: "facts" }, el("b", {}, seen.type), ` ${facts.join(" · ")}`),
    el("pre", {}, seen.message),
    seen.problem ? el("p", { class: "bad" }, seen.problem) : "",
  ];
}
