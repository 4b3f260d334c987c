// What the checker finds in a row, in one app after the other, as it finds it.
import { el } from "./dom.js";
import { NAMES } from "./lane.js";

const SIDES = ["FastAPI", "rawasgi"];

export class Checks {
  constructor(node) {
    this.node = node;
    this.source = null;
  }

  load(row) {
    this.stop();
    this.row = row;
    this.button = el("button", { type: "button", class: "strong", onclick: () => (this.source ? this.halt() : this.run()) }, "Check this stream");
    this.lists = new Map(SIDES.map(side => [side, el("div", { class: `findings ${side}` })]));
    this.node.replaceChildren(
      el("div", { class: "ask" }, this.button, el("p", {},
        "The checker calls the app as servers do, and is a client as clients are: it leaves before the start, between two messages, or stops reading. ",
        "It takes up to a minute, and is ", el("code", {}, `rawasgi check examples.twin:app '${row.example}'`), " in a process of its own.")),
      el("div", { class: "columns" }, SIDES.map(side => el("div", {}, el("h4", { class: side }, NAMES[side]), this.lists.get(side)))));
  }

  async run() {
    this.button.textContent = "Stop";
    for (const list of this.lists.values()) list.replaceChildren();
    for (const side of SIDES) {
      if (!(await this.one(side))) break;
    }
    this.halt();
  }

  /** Resolves with whether to go on. */
  one(side) {
    const list = this.lists.get(side);
    const state = el("p", { class: "state", role: "status" }, "waits for its turn …");
    list.replaceChildren(state);
    let count = 0;
    return new Promise(resolve => {
      const source = (this.source = new EventSource(`/lab/check/${side}/${this.row.number}`));
      this.resolve = resolve;
      const end = (text, kind, on = true) => {
        source.close();
        state.textContent = text;
        state.className = `state ${kind}`;
        resolve(on);
      };
      source.addEventListener("begun", () => { state.textContent = "looks …"; });
      source.addEventListener("finding", event => {
        count += 1;
        list.insertBefore(found(JSON.parse(event.data)), state);
      });
      source.addEventListener("said", event => list.insertBefore(el("pre", {}, JSON.parse(event.data).text), state));
      source.addEventListener("summary", event => {
        const counts = Object.entries(JSON.parse(event.data).summary.findings ?? {});
        if (counts.length) list.insertBefore(el("p", { class: "dim" }, counts.map(([id, times]) => `${id} × ${times}`).join(", ")), state);
      });
      source.addEventListener("over", event => {
        const { status, error } = JSON.parse(event.data);
        if (status === 0 && !count) end("Nothing found.", "good");
        else if (status === 0 || status === 1) end(`${count} ${count === 1 ? "finding" : "findings"}.`, "bad");
        else end(error || `the checker ended with ${status}`, "bad");
      });
      source.onerror = () => end("the connection broke off", "bad", false);
    });
  }

  halt() {
    this.stop();
    this.button.textContent = "Check this stream";
  }

  stop() {
    this.source?.close();
    this.source = null;
    this.resolve?.(false);
  }
}

function found({ id, server, probe, what, ...rest }) {
  const more = Object.entries(rest).filter(([key, value]) => key !== "path" && value !== null && value !== "");
  return el("article", { class: "finding" },
    el("h5", {}, id, el("span", { class: "dim" }, [probe, server && `as with ${server}`].filter(Boolean).join(", "))),
    el("p", {}, what),
    more.length ? el("p", { class: "dim" }, more.map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join(" · ")) : "");
}
