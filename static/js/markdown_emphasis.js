// Emphasis of Markdown: runs of * _ ~ that open and close (CommonMark, "delimiter runs").

import { made } from "./made.js";

const BLANK = /[\s\u00a0]/u;
const MARK = /[\p{P}\p{S}]/u;

// The run of delimiters that begins at `at`; null where there is none.
export function run(text, at) {
  const char = text[at];
  if (char !== "*" && char !== "_" && char !== "~") return null;
  let end = at;
  while (text[end] === char) end += 1;
  const count = end - at;
  if (char === "~" && count < 2) return null;
  const before = [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? " ";
  const after = [...text.slice(end, end + 2)][0] ?? " ";
  const left = !BLANK.test(after) && (!MARK.test(after) || BLANK.test(before) || MARK.test(before));
  const right = !BLANK.test(before) && (!MARK.test(before) || BLANK.test(after) || MARK.test(after));
  const opens = char === "_" ? left && (!right || MARK.test(before)) : left;
  const closes = char === "_" ? right && (!left || MARK.test(after)) : right;
  return { part: { char, count, size: count, opens, closes }, length: count };
}

// Pairs of runs become elements around what stands between them; what is left over is text.
export function emphasised(parts) {
  const lowest = {}; // where the search for an opener ended in vain: the next one like it need not go below
  for (let at = 0; at < parts.length; at += 1) {
    const closer = parts[at];
    if (!closer.closes || !closer.count) continue;
    const like = `${closer.char}${closer.opens}${closer.size % 3}`;
    let from = at - 1;
    while (from >= (lowest[like] ?? 0) && !belong(parts[from], closer)) from -= 1;
    if (from < (lowest[like] ?? 0)) {
      lowest[like] = at;
      continue;
    }
    const opener = parts[from];
    const size = closer.char === "~" ? 2 : Math.min(2, opener.count, closer.count);
    const tag = closer.char === "~" ? "s" : size === 2 ? "strong" : "em";
    const inside = parts.splice(from + 1, at - from - 1);
    parts.splice(from + 1, 0, { node: made(tag, {}, ...inside.map(nodeOf)) });
    opener.count -= size;
    closer.count -= size;
    at = from + 1; // what is left of the closer may close another
  }
  return parts;
}

function belong(opener, closer) {
  if (opener.char !== closer.char || !opener.opens || !opener.count) return false;
  if (closer.char === "~") return opener.count >= 2 && closer.count >= 2;
  const isOdd = (opener.closes || closer.opens) && (opener.size + closer.size) % 3 === 0;
  return !isOdd || (opener.size % 3 === 0 && closer.size % 3 === 0);
}

export function nodeOf(part) {
  return part.node ?? part.char.repeat(part.count);
}
