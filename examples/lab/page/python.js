// Enough of Python's grammar to colour it: strings over several lines, comments, keywords, numbers, names of functions.
import { el } from "./dom.js";

const KEYWORDS = new Set(("and as assert async await break class continue def del elif else except False finally for from "
  + "global if import in is lambda None nonlocal not or pass raise return True try while with yield").split(" "));
const TOKEN = /(?<comment>#[^\n]*)|(?<string>[rbfRBF]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))|(?<decorator>^[ \t]*@[\w.]+)|(?<number>\b\d[\d_.]*\b)|(?<word>[A-Za-z_]\w*)/gm;

/** *text* as a list of lines, each a list of nodes. */
export function highlighted(text) {
  const lines = [[]];
  const add = (piece, kind) => piece.split("\n").forEach((part, index) => {
    if (index) lines.push([]);
    if (part) lines.at(-1).push(kind ? el("span", { class: kind }, part) : part);
  });
  let place = 0, before = "";
  for (const match of text.matchAll(TOKEN)) {
    add(text.slice(place, match.index));
    const kind = Object.keys(match.groups).find(name => match.groups[name] !== undefined);
    add(match[0], kind === "word" ? (KEYWORDS.has(match[0]) ? "keyword" : before === "def" || before === "class" ? "name" : "") : kind);
    before = match[0];
    place = match.index + match[0].length;
  }
  add(text.slice(place));
  return lines;
}
