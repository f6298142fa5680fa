// Markdown within a line, made into elements: code, emphasis, links, breaks. Nothing in it can become markup: texts are
// text nodes, and links open nothing but http, https and mail. The rules are CommonMark's, without reference links.

import { made } from "./made.js";
import { emphasised, nodeOf, run } from "./markdown_emphasis.js";

const PLAIN = /(?:[^\\`*_~[<&\n ]| (?! *\n))+/y;
const ESCAPED = /[!-/:-@[-`{-~]/;
const SAFE = /^(https?:\/\/|mailto:)/i;
const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };
const DEEPEST = 12; // links in links in links ... end here
const TARGET = /^\(\s*(?:<([^<>\n]*)>|((?:[^\s()]|\([^\s()]*\))*))(?:\s+(?:"[^"]*"|'[^']*'|\([^)]*\)))?\s*\)/;

export function inline(text, depth = 0) {
  const parts = [];
  let plain = "";
  const put = (part) => {
    if (plain) parts.push({ node: plain });
    plain = "";
    parts.push(part);
  };
  for (let at = 0; at < text.length;) {
    PLAIN.lastIndex = at;
    const [skipped] = PLAIN.exec(text) ?? [""];
    plain += skipped;
    at += skipped.length;
    if (at >= text.length) break;
    const rest = text.slice(at, at + 2000);
    const found = code(text, at) ?? breakOf(rest) ?? link(text, at, depth) ?? entity(rest) ?? run(text, at);
    if (found?.part) put(found.part);
    else plain += found ? found.text : text[at];
    at += found ? found.length : 1;
  }
  if (plain) parts.push({ node: plain });
  return emphasised(parts).map(nodeOf);
}

function code(text, at) {
  if (text[at] !== "`") return null;
  const fence = text.slice(at).match(/^`+/)[0];
  const ends = new RegExp(`(?<!\`)${fence}(?!\`)`, "g");
  ends.lastIndex = at + fence.length;
  const end = ends.exec(text);
  if (!end) return { text: fence, length: fence.length };
  let inside = text.slice(at + fence.length, end.index).replaceAll("\n", " ");
  if (/^ .*[^ ].* $/.test(inside) || /^ [^ ] $/.test(inside)) inside = inside.slice(1, -1);
  return { part: { node: made("code", { textContent: inside }) }, length: end.index + fence.length - at };
}

// A backslash before punctuation, and the breaks: two spaces or a backslash at the end of a line.
function breakOf(rest) {
  const hard = rest.match(/^(?: {2,}|\\)\n */);
  if (hard) return { part: { node: made("br") }, length: hard[0].length };
  const soft = rest.match(/^ ?\n */);
  if (soft) return { text: "\n", length: soft[0].length };
  if (rest[0] === "\\" && ESCAPED.test(rest[1] ?? "")) return { text: rest[1], length: 2 };
  return null;
}

function entity(rest) {
  const found = rest[0] === "&" && rest.match(/^&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,4}));/);
  if (!found) return null;
  const point = found[1] ? Number(found[1]) : parseInt(found[2], 16);
  const text = found[3] ? NAMED[found[3]] : point > 0 && point <= 0x10ffff && String.fromCodePoint(point);
  return text ? { text, length: found[0].length } : null;
}

function link(text, at, depth) {
  const auto = text[at] === "<" && text.slice(at, at + 2000).match(/^<(https?:\/\/[^\s<>]*|mailto:[^\s<>]*)>/i);
  if (auto) return { part: { node: anchor(auto[1], [auto[1]]) }, length: auto[0].length };
  if (text[at] !== "[" || depth >= DEEPEST) return null;
  const end = closing(text, at);
  const target = end > 0 && text.slice(end + 1, end + 2000).match(TARGET);
  const address = target && (target[1] ?? target[2] ?? "").replace(/\\([!-/:-@[-`{-~])/g, "$1");
  if (!target || !SAFE.test(address)) return null;
  return { part: { node: anchor(address, inline(text.slice(at + 1, end), depth + 1)) }, length: end + 1 + target[0].length - at };
}

function anchor(href, children) {
  return made("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

function closing(text, at) {
  let open = 0;
  for (let i = at; i < text.length && i < at + 2000; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === "[") open += 1;
    else if (text[i] === "]" && (open -= 1) === 0) return i;
  }
  return -1;
}
