// Markdown made into elements, for responses and previews: paragraphs, headings, lists, quotes, code, tables, rules.
// Raw HTML is text like any other. The server's own rendering (annotation/markdown.py) and this one agree on what models write.

import { made } from "./made.js";
import { inline } from "./markdown_inline.js";
import { ITEM, list } from "./markdown_list.js";
import { isTable, table } from "./markdown_table.js";

const LONGEST = 60000; // characters; longer texts are shown as they are
const DEEPEST_BLOCK = 10;
const FENCE = /^( {0,3})(`{3,}(?!.*`)|~{3,})\s*(\S*)/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
export const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const INDENTED = /^ {4}/;

// -> nodes to put into a container
export function markdown(text) {
  if (text.length > LONGEST) return [made("p", { className: "as-written", textContent: text })];
  return blocks(text.replace(/\r\n?/g, "\n").replaceAll("\t", "    ").split("\n"), 0);
}

// `spaced` on what is returned: a blank line stood between two of the blocks.
export function blocks(lines, depth) {
  const found = [];
  let at = 0;
  let isAfterBlank = false;
  while (at < lines.length) {
    const line = lines[at];
    const count = found.length;
    let taken = 1;
    if (FENCE.test(line)) taken = fence(lines, at, found);
    else if (INDENTED.test(line) && line.trim()) taken = indented(lines, at, found);
    else if (HEADING.test(line)) found.push(heading(...line.match(HEADING).slice(1)));
    else if (RULE.test(line)) found.push(made("hr"));
    else if (QUOTE.test(line) && depth < DEEPEST_BLOCK) taken = quote(lines, at, found, depth);
    else if (ITEM.test(line) && depth < DEEPEST_BLOCK) taken = list(lines, at, found, depth);
    else if (isTable(lines, at)) taken = table(lines, at, found, startsBlock);
    else if (line.trim()) taken = paragraph(lines, at, found);
    if (found.length > count && isAfterBlank && count) found.spaced = true;
    isAfterBlank = found.length === count;
    at += taken;
  }
  return found;
}

// Whether a line ends the paragraph before it.
export function startsBlock(line) {
  const item = line.match(ITEM);
  const isItem = item && line.trim() !== item[2] && (!/\d/.test(item[2]) || /^1[.)]$/.test(item[2]));
  return !line.trim() || FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || Boolean(isItem);
}

// Below the page's own headings: the first level is an h3.
function heading(marks, text = "") {
  return made(`h${Math.min(6, marks.length + 2)}`, {}, ...inline(text.trim()));
}

function fence(lines, at, found) {
  const [, indent, mark] = lines[at].match(FENCE);
  const ends = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}[ ]*$`);
  let end = at + 1;
  while (end < lines.length && !ends.test(lines[end])) end += 1;
  const inside = lines.slice(at + 1, end).map((line) => line.replace(new RegExp(`^ {0,${indent.length}}`), ""));
  found.push(codeBlock(inside));
  return end + 1 - at;
}

function indented(lines, at, found) {
  let end = at;
  while (end < lines.length && (INDENTED.test(lines[end]) || !lines[end].trim())) end += 1;
  while (!lines[end - 1].trim()) end -= 1;
  found.push(codeBlock(lines.slice(at, end).map((line) => line.slice(4))));
  return end - at;
}

function codeBlock(lines) {
  return made("pre", { tabIndex: 0 }, made("code", { textContent: lines.map((line) => `${line}\n`).join("") }));
}

function quote(lines, at, found, depth) {
  let end = at + 1;
  while (end < lines.length && (QUOTE.test(lines[end]) || (!startsBlock(lines[end]) && !startsBlock(lines[end - 1].replace(QUOTE, ""))))) end += 1;
  found.push(made("blockquote", {}, ...blocks(lines.slice(at, end).map((line) => line.replace(QUOTE, "")), depth + 1)));
  return end - at;
}

function paragraph(lines, at, found) {
  let end = at + 1;
  while (end < lines.length && !/^ {0,3}(=+|-+) *$/.test(lines[end]) && !startsBlock(lines[end])) end += 1;
  const text = lines.slice(at, end).map((line) => line.trimStart()).join("\n").trimEnd();
  const under = end < lines.length && lines[end].match(/^ {0,3}(=+|-+) *$/);
  if (under) found.push(heading(under[1][0] === "=" ? "#" : "##", text));
  else found.push(made("p", {}, ...inline(text)));
  return end - at + (under ? 1 : 0);
}
