// What changed from one text to another: by words, and by characters where a script has no spaces between words.
// The shortest edit script (Myers, 1986), bounded: texts that differ in more than MOST places count as replaced.

const MOST = 1500; // edits; the cost grows with (tokens + edits) * edits
const UNSPACED = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}";
const TOKEN = new RegExp(`[${UNSPACED}]\\p{M}*|(?:(?![${UNSPACED}])[\\p{L}\\p{M}\\p{N}_])+|\\s+|[^]`, "gu");

// -> [{ kind: "same" | "gone" | "new", text }]; "gone" stands in `before` only, "new" in `after` only.
export function differences(before, after) {
  const a = before.match(TOKEN) ?? [];
  const b = after.match(TOKEN) ?? [];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const middle = script(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const same = (tokens) => tokens.map((text) => ({ kind: "same", text }));
  return merged([...same(a.slice(0, head)), ...middle, ...same(a.slice(a.length - tail))]);
}

// The furthest that each diagonal k = x - y gets with d edits, for d = 0, 1 ...; then the way back along them.
function script(a, b) {
  const most = Math.min(a.length + b.length, MOST);
  const reach = new Int32Array(2 * most + 3);
  const zero = most + 1;
  const trail = [];
  for (let d = 0; d <= most; d += 1) {
    for (let k = -d; k <= d; k += 2) {
      const isDown = k === -d || (k !== d && reach[zero + k - 1] < reach[zero + k + 1]);
      let x = isDown ? reach[zero + k + 1] : reach[zero + k - 1] + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      reach[zero + k] = x;
      if (x >= a.length && x - k >= b.length) return wayBack(a, b, trail, d);
    }
    trail.push(reach.slice(zero - d, zero + d + 1));
  }
  return [{ kind: "gone", text: a.join("") }, { kind: "new", text: b.join("") }];
}

function wayBack(a, b, trail, edits) {
  const found = [];
  let x = a.length;
  let y = b.length;
  for (let d = edits; d > 0; d -= 1) {
    const at = (k) => trail[d - 1][k + d - 1];
    const k = x - y;
    const isDown = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const start = isDown ? at(k + 1) : at(k - 1) + 1;
    for (; x > start; x -= 1, y -= 1) found.push({ kind: "same", text: a[x - 1] });
    if (isDown) found.push({ kind: "new", text: b[(y -= 1)] });
    else found.push({ kind: "gone", text: a[(x -= 1)] });
  }
  for (; x > 0; x -= 1) found.push({ kind: "same", text: a[x - 1] });
  return found.reverse();
}

// Neighbours of one kind become one; between two changes what is gone stands first, and a space alone belongs to them.
function merged(parts) {
  const found = [];
  let gone = "";
  let fresh = "";
  const close = () => {
    if (gone) found.push({ kind: "gone", text: gone });
    if (fresh) found.push({ kind: "new", text: fresh });
    gone = fresh = "";
  };
  parts.forEach(({ kind, text }, at) => {
    const isGap = kind === "same" && /^[ \t]+$/.test(text) && (gone || fresh) && parts[at + 1] && parts[at + 1].kind !== "same";
    if (kind === "gone" || isGap) gone += text;
    if (kind === "new" || isGap) fresh += text;
    if (kind !== "same" || isGap) return;
    close();
    if (found.at(-1)?.kind === "same") found.at(-1).text += text;
    else found.push({ kind, text });
  });
  close();
  return found;
}
