// Tables of Markdown: a row of heads, a row of dashes, rows of cells.

import { made } from "./made.js";
import { inline } from "./markdown_inline.js";

const DASHES = /^ {0,3}\|? *:?-+:? *(?:\| *:?-+:? *)*\|? *$/;

export function isTable(lines, at) {
  const under = lines[at + 1] ?? "";
  return lines[at].includes("|") && under.includes("-") && DASHES.test(under) && cells(lines[at]).length === cells(under).length;
}

// Reads the table that begins at `at` into `found`; returns how many lines it takes.
export function table(lines, at, found, startsBlock) {
  const heads = cells(lines[at]);
  let end = at + 2;
  while (end < lines.length && !startsBlock(lines[end])) end += 1;
  const row = (tag, texts) => made("tr", {}, ...heads.map((_, i) => made(tag, {}, ...inline(texts[i] ?? ""))));
  const body = lines.slice(at + 2, end).map((line) => row("td", cells(line)));
  const parts = [made("thead", {}, row("th", heads))];
  if (body.length) parts.push(made("tbody", {}, ...body));
  found.push(made("table", {}, ...parts));
  return end - at;
}

function cells(line) {
  const inside = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inside.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}
