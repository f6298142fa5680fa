// How marks that overlap share the text: at which level each is drawn, in which parts the text falls, and their colours.

const PALETTE = ["blue", "orange", "teal", "purple", "green", "pink", "amber", "indigo", "red", "olive", "brown", "grey"];

// Label id -> colour: its own, or the next one of the palette that no label has.
export function spanColours(ids, own) {
  const free = PALETTE.filter((colour) => !ids.some((id) => own[id] === colour));
  let next = 0;
  return Object.fromEntries(ids.map((id) => [id, own[id] || (free.length ? free : PALETTE)[next++ % (free.length || PALETTE.length)]]));
}

// Mark -> level, 0 nearest to the text: the shorter of two that overlap is nearer.
export function spanLevels(marks) {
  const rows = [];
  const levels = new Map();
  for (const mark of [...marks].sort((a, b) => a.end - a.start - (b.end - b.start) || a.start - b.start)) {
    let level = 0;
    while (rows[level]?.some((one) => one.start < mark.end && mark.start < one.end)) level += 1;
    (rows[level] ??= []).push(mark);
    levels.set(mark, level);
  }
  return levels;
}

// Where each line of the text ends, its line break included.
export function lineEnds(text) {
  const ends = Array.from(text.text.matchAll(/\n/g), (found) => found.index + 1);
  return ends.at(-1) === text.length ? ends : [...ends, text.length];
}

// The text in order, cut at the ends of lines and wherever a mark begins or ends: {start, end, marks (the innermost first),
// isTag}. A tag is the place behind the end of one mark where its label's name stands.
export function spanParts(text, marks, lines) {
  const size = (mark) => mark.end - mark.start;
  const ends = [...marks].sort((a, b) => a.end - b.end || b.start - a.start);
  const places = [...new Set([0, ...lines, ...marks.flatMap((mark) => [mark.start, mark.end])])].sort((a, b) => a - b);
  const parts = [];
  let [open, nextStart, nextEnd] = [[], 0, 0];
  places.forEach((place, at) => {
    for (; ends[nextEnd]?.end === place; nextEnd += 1) parts.push({ start: ends[nextEnd].start, end: place, marks: [ends[nextEnd]], isTag: true });
    open = open.filter((mark) => mark.end > place);
    for (; marks[nextStart]?.start === place; nextStart += 1) open.push(marks[nextStart]);
    if (at + 1 < places.length) parts.push({ start: place, end: places[at + 1], marks: [...open].sort((a, b) => size(a) - size(b)), isTag: false });
  });
  return parts;
}
