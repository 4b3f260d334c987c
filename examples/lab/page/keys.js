// Buttons, tabs and keys.
import { $ } from "./dom.js";

export function keys(lab) {
  const does = {
    run: () => lab.run(),
    leave: () => lab.leave(),
    stall: () => lab.stall(),
    reconnect: () => lab.reconnect(),
    head: () => $("head").disabled || lab.run({ method: "HEAD" }),
    range: () => lab.run({ headers: () => ({ range: "bytes=0-99" }) }),
    again: () => lab.run({ on: true, note: "you asked again", headers: lane => (lane.etag === null ? {} : { "if-none-match": lane.etag }) }),
    gzip: () => toggle("gzip"),
    eventsource: () => toggle("eventsource"),
    naked: () => toggle("naked") && lab.prepare(),
    help: () => $("keys").showModal(),
    menu: () => {
      const open = document.body.classList.toggle("listing");
      $("menu").setAttribute("aria-expanded", open);
      if (open) $("filter").focus();
    },
  };
  for (const [id, act] of Object.entries(does)) $(id).addEventListener("click", act);
  const tabs = ["messages", "source", "checks"];
  for (const name of tabs) $(`tab-${name}`).addEventListener("click", () => tab(name));
  document.querySelector("[role=tablist]").addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const now = tabs.findIndex(name => $(`tab-${name}`).getAttribute("aria-selected") === "true");
    tab(tabs[(now + step + tabs.length) % tabs.length], true);
  });

  const letters = { l: "leave", s: "stall", r: "reconnect", h: "head", g: "gzip", e: "eventsource", n: "naked", "?": "help" };
  addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input") || $("keys").open) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[key];
    if (step !== undefined) {
      if (event.target.closest?.(".output, .code")) return; // what scrolls
      if (key.startsWith("Arrow") && lab.messages.key(event)) event.preventDefault();
      else if (!key.startsWith("Arrow") || !event.target.closest?.("main")) {
        event.preventDefault();
        lab.go(lab.list.beside(lab.row, step), true);
      }
    } else if (key === "Enter" && !event.target.closest?.("button, summary, main a, .skip")) {
      event.preventDefault();
      const focused = lab.rows.find(row => lab.list.links.get(row.number) === event.target.closest?.("a"));
      if (focused && focused !== lab.row) lab.go(focused, true);
      lab.run();
    } else if ("123".includes(key)) tab(tabs[Number(key) - 1]);
    else if (key === "/") {
      event.preventDefault();
      document.body.classList.add("listing");
      $("filter").focus();
    } else if (letters[key] && !$(letters[key]).hidden) {
      event.preventDefault();
      does[letters[key]]();
    }
  });

  function tab(chosen, focus = false) {
    for (const name of tabs) {
      $(name).hidden = name !== chosen;
      $(`tab-${name}`).setAttribute("aria-selected", name === chosen);
      $(`tab-${name}`).tabIndex = name === chosen ? 0 : -1;
    }
    if (focus) $(`tab-${chosen}`).focus();
  }
}

/** Press or release a toggle; returns whether it could be. */
function toggle(id) {
  const button = $(id);
  if (button.disabled) return false;
  button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  return true;
}
