// Lists of Markdown: bullets and numbers, nested by indentation; loose where blank lines stand between items.

import { made } from "./made.js";
import { RULE, blocks, startsBlock } from "./markdown.js";

export const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:( {1,4})(?=\S)|( +)|$)/;

// Reads the list that begins at `at` into `found`; returns how many lines it takes.
export function list(lines, at, found, depth) {
  const [, , mark] = lines[at].match(ITEM);
  const items = [];
  let isLoose = false;
  let end = at;
  while (continues(lines[end], mark)) {
    const start = lines[end].match(ITEM);
    const width = start[1].length + start[2].length + (start[3]?.length ?? 1);
    const own = [lines[end].slice(width)];
    for (end += 1; end < lines.length; end += 1) {
      const line = lines[end];
      const isBelow = line.startsWith(" ".repeat(width));
      if (line.trim() && !isBelow && (startsBlock(line) || ITEM.test(line) || !own.at(-1).trim())) break;
      own.push(isBelow ? line.slice(width) : line.trimStart());
    }
    let blank = 0;
    while (own.length > 1 && !own.at(-1).trim()) {
      own.pop();
      blank += 1;
    }
    const nodes = blocks(own, depth + 1);
    const isLast = !continues(lines[end], mark);
    isLoose ||= nodes.spaced || (blank > 0 && !isLast);
    items.push(nodes);
    if (isLast) end -= blank; // they stand behind the list, not in it
    if (isLast) break;
  }
  found.push(element(mark, items, isLoose));
  return end - at;
}

// Whether a line is one more item of the list whose first item has this mark.
function continues(line, mark) {
  const item = line?.match(ITEM);
  return Boolean(item) && item[2].at(-1) === mark.at(-1) && !RULE.test(line);
}

function element(mark, items, isLoose) {
  const unwrapped = (node) => (node.tagName === "P" ? [...node.childNodes] : [node]);
  const children = items.map((nodes) => made("li", {}, ...(isLoose ? nodes : nodes.flatMap(unwrapped))));
  const first = Number.parseInt(mark, 10);
  if (Number.isNaN(first)) return made("ul", {}, ...children);
  return made("ol", first === 1 ? {} : { start: first }, ...children);
}
