// The list of all streams, by document.
import { $, el } from "./dom.js";

const TITLES = {
  "000": "000 · The event loop", "001": "001 · Server-sent events", "002": "002 · Files and rows",
  "003": "003 · Lines of text", "004": "004 · Chats and tasks", formats: "More formats", extensions: "More extensions",
};

export class List {
  constructor(rows, chosen) {
    this.rows = rows;
    this.links = new Map();
    const groups = Object.groupBy ? Object.groupBy(rows, row => row.document) : grouped(rows);
    $("list").replaceChildren(...Object.entries(groups).sort(([one], [other]) => order(one) - order(other)).map(([document, members]) =>
      el("section", {}, el("h2", {}, TITLES[document] ?? document), el("ul", {}, members.map(row => this.item(row))))));
    $("filter").addEventListener("input", () => this.filter($("filter").value));
    $("filter").addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === "ArrowDown") {
        const first = this.visible[0];
        if (first) chosen(first, true);
        event.preventDefault();
      } else if (event.key === "Escape") {
        $("filter").value = "";
        this.filter("");
      }
    });
  }

  item(row) {
    const link = el("a", { href: `#row-${row.number}` },
      el("span", { class: "number" }, row.number),
      el("span", { class: "where" }, row.method === "GET" ? "" : el("b", {}, row.method), el("code", {}, row.path)),
      el("span", { class: "what" }, row.summary));
    this.links.set(row.number, link);
    return el("li", {}, link);
  }

  get visible() { return this.rows.filter(row => !this.links.get(row.number).parentElement.hidden); }

  filter(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of this.rows) {
      const said = `${row.number} ${row.method} ${row.path} ${row.kind} ${row.summary} ${row.lesson}${row.paths.naked ? " naked by hand" : ""}`.toLowerCase();
      this.links.get(row.number).parentElement.hidden = !words.every(word => (/^\d+$/.test(word) ? `${row.number}` === word : said.includes(word)));
    }
    for (const section of $("list").children) section.hidden = !section.querySelector("li:not([hidden])");
    $("none").hidden = this.visible.length > 0;
  }

  choose(row, focus) {
    for (const link of this.links.values()) link.removeAttribute("aria-current");
    const link = this.links.get(row.number);
    link.setAttribute("aria-current", "page");
    if (focus) link.focus({ preventScroll: true });
    const nav = $("streams"), place = link.getBoundingClientRect(), box = nav.getBoundingClientRect();
    if (place.top < box.top + 110 || place.bottom > box.bottom - 8) nav.scrollTop += place.top - box.top - box.height / 2;
  }

  /** The visible row that is *step* after *row*. */
  beside(row, step) {
    const rows = this.visible;
    const at = rows.indexOf(row);
    return rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))];
  }
}

function order(document) { return Object.keys(TITLES).indexOf(document); }

function grouped(rows) {
  const groups = {};
  for (const row of rows) (groups[row.document] ??= []).push(row);
  return groups;
}
