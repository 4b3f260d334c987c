// The messages as a list: one a line, an app a column; the one that is looked at as the dict that it is.
import { bytes, el, seconds } from "./dom.js";
import { NAMES } from "./lane.js";
import { described } from "./timeline.js";

const MOST = 200;

export class Messages {
  constructor(node, chosen) {
    this.node = node;
    this.chosen = chosen;
    this.lists = new Map();
  }

  reset(sides) {
    this.lists = new Map();
    this.waiting = [];
    this.detail = el("div", { class: "detail", "aria-live": "off" }, el("p", { class: "empty" }, "Choose a message to see it whole."));
    this.node.replaceChildren(
      el("div", { class: "columns" }, sides.map(side => {
        const body = el("tbody");
        this.lists.set(side, body);
        const heads = ["at", "", "type", "size", "took", "text"].map(head => el("th", { scope: "col" }, head));
        return el("div", { class: `scroll ${side}`, tabindex: "0", role: "region", "aria-label": `Messages of ${NAMES[side]}` },
          el("table", {}, el("caption", {}, NAMES[side]), el("thead", {}, el("tr", {}, heads)), body));
      })),
      this.detail);
  }

  add(seen, at) { this.waiting.push([seen, at]); }

  /** The last word of a call. */
  end(seen, at) { this.waiting.push([{ ...seen, arrow: "=", type: seen.end, size: seen.bytes, took: 0, text: `${seen.messages} messages` }, at]); }

  draw() {
    for (const [seen, at] of this.waiting.splice(0)) {
      const body = this.lists.get(seen.side);
      const box = body.closest(".scroll");
      const near = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
      body.append(this.row(seen, at));
      if (body.childElementCount > MOST) body.firstElementChild.remove();
      if (near) box.scrollTop = box.scrollHeight;
    }
  }

  row(seen, at) {
    const sent = seen.arrow === ">";
    const cells = [
      el("td", { class: "n" }, at.toFixed(3)),
      el("td", { class: "arrow", title: sent ? "sent" : seen.arrow === "<" ? "received" : "the end" }, sent ? "→" : seen.arrow === "<" ? "←" : "■"),
      el("td", { class: "what" }, ...named(seen)),
      el("td", { class: "n" }, seen.size ? bytes(seen.size) : ""),
      el("td", { class: "n" }, seen.took > 0.0005 ? seconds(seen.took) : ""),
      el("td", { class: "text" }, seen.text?.trim().replaceAll("\n", "↵") || seen.detail || ""),
    ];
    const row = el("tr", { class: `${sent ? "sent" : seen.arrow === "<" ? "received" : "end"}${seen.problem ? " bad" : ""}` }, cells);
    if (seen.message) {
      row.dataset.whole = "";
      row.addEventListener("click", () => this.show(seen, at, row));
    } else if (seen.problem) row.title = seen.problem;
    return row;
  }

  show(seen, at, row) {
    this.node.querySelector("tr[aria-current]")?.removeAttribute("aria-current");
    row?.setAttribute("aria-current", "true");
    this.detail.replaceChildren(...described(seen, at));
    this.detail.className = `detail ${seen.side}`;
    this.chosen(seen);
  }

  /** Up and down in a list that has the focus. */
  key(event) {
    const box = event.target.closest?.(".scroll");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!box || step === undefined) return false;
    const rows = [...box.querySelectorAll("tr[data-whole]")];
    const at = rows.findIndex(row => row.hasAttribute("aria-current"));
    const row = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
    row?.click();
    row?.scrollIntoView({ block: "nearest" });
    return true;
  }
}

function named(seen) {
  const [protocol, ...rest] = seen.type.split(".");
  return rest.length && seen.arrow !== "=" ? [el("span", { class: "dim" }, `${protocol}.`), rest.join(".")] : [seen.type];
}
