// The code of the endpoint in three versions, with the lines that are executing the message that is sent.
import { el } from "./dom.js";
import { NAMES } from "./lane.js";
import { highlighted } from "./python.js";

export class Source {
  constructor(node) {
    this.node = node;
    this.lines = new Map(); // "side file:line" to its element
    this.live = new Map(); // side to the elements that are marked
  }

  async load(row, sides) {
    this.lines.clear();
    this.live.clear();
    const asked = (this.asked = {});
    const found = await Promise.all(sides.map(async side => (await fetch(`/lab/source/${side}/${row.number}`)).json()));
    if (asked !== this.asked) return; // another row was chosen meanwhile
    this.node.replaceChildren(el("div", { class: "columns" }, sides.map((side, index) => this.column(side, found[index]))));
  }

  column(side, pieces) {
    const own = pieces.filter(piece => !piece.file.includes("/sources/"));
    const count = own.reduce((sum, piece) => sum + piece.text.split("\n").filter(line => line.trim()).length, 0);
    const shared = pieces.length - own.length;
    return el("div", { class: `code ${side}`, tabindex: "0", role: "region", "aria-label": `Source with ${NAMES[side]}` },
      el("h4", {}, NAMES[side], el("span", { class: "dim" }, ` ${count} lines of its own${shared ? ", and what is streamed" : ""}`)),
      pieces.map(piece => this.piece(side, piece)));
  }

  piece(side, piece) {
    const lines = highlighted(piece.text).map((content, index) => {
      const line = el("li", { value: piece.first + index }, ...content);
      this.lines.set(`${side} ${piece.file}:${piece.first + index}`, line);
      return line;
    });
    return el("figure", {}, el("figcaption", {}, piece.file.replace("examples/", ""), el("span", { class: "dim" }, `:${piece.first}`)),
      el("ol", { translate: "no" }, lines));
  }

  /** Mark where the code stands that makes this message; nowhere, when the endpoint has returned long ago. */
  mark(seen) {
    if (seen.arrow !== ">" && seen.kind !== "ended") return;
    for (const line of this.live.get(seen.side) ?? []) line.classList.remove("live");
    const found = (seen.places ?? []).map(place => this.lines.get(`${seen.side} ${place.file}:${place.line}`)).filter(Boolean);
    for (const line of found) line.classList.add("live");
    this.live.set(seen.side, found);
    if (found.length && this.node.offsetParent !== null) into(found[0]);
  }
}

/** Scroll a line into its column, and only the column. */
function into(line) {
  const column = line.closest(".code");
  const place = line.getBoundingClientRect(), box = column.getBoundingClientRect();
  if (place.top < box.top + 30 || place.bottom > box.bottom - 10) column.scrollTop += place.top - box.top - box.height / 3;
}
