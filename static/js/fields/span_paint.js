// Draws marks on the text: the innermost tints it, each is a line below it at a level of its own, and its label's name
// stands behind its end. The names are generated content, so what the text element holds is the item's text and no more.

import { made } from "../made.js";
import { lineEnds, spanLevels, spanParts } from "./span_parts.js";

export class SpanPaint {
  constructor(surface, { names, colours }) {
    Object.assign(this, { surface, names, colours });
    this.caret = made("span", { className: "span-caret", hidden: true });
    this.parts = new Map(); // what it looks like -> the node that does
  }

  // `untouched`: a set of marks that are drawn dashed. Parts that look as before stay, and
  // each line of the text is laid out by itself: a step costs no more in a long text.
  paint(text, marks, untouched) {
    if (this.surface.lastChild !== this.caret) this.begin(text);
    const before = this.parts;
    const levels = spanLevels(marks);
    this.parts = new Map();
    this.marksOf = new WeakMap(); // element -> its marks, the innermost first
    this.elements = new Map(marks.map((mark) => [mark, []]));
    this.nodes = [];
    for (const one of spanParts(text, marks, this.ends)) {
      const drawn = one.marks.map((mark) => `${mark.label} ${levels.get(mark)} ${untouched.has(mark)}`);
      const key = `${one.end} ${one.start} ${one.isTag ? "tag" : ""} ${drawn.join()}`;
      const part = before.get(key) ?? this.part(text, one, levels, untouched);
      this.parts.set(key, part);
      if (!one.isTag) this.nodes.push({ start: one.start, end: one.end, node: part.firstChild ?? part });
      this.known(part, one.marks);
    }
    const count = String(Math.max(1, ...[...levels.values()].map((level) => level + 1)));
    if (this.surface.style.getPropertyValue("--span-levels") !== count) this.surface.style.setProperty("--span-levels", count);
    this.put(before);
  }

  // Somebody else has filled the text since, or nobody has.
  begin(text) {
    this.parts = new Map();
    this.ends = lineEnds(text);
    this.lines = this.ends.map(() => made("span", { className: "span-line" }));
    this.surface.replaceChildren(...this.lines, this.caret);
  }

  put(before) {
    for (const [key, part] of before) if (!this.parts.has(key)) part.remove();
    let line = 0;
    let place = this.lines[0].firstChild;
    for (const [key, part] of this.parts) {
      for (const end = parseInt(key); end > this.ends[line];) place = this.lines[(line += 1)].firstChild;
      if (part === place) place = place.nextSibling;
      else this.lines[line].insertBefore(part, place);
    }
  }

  part(text, { start, end, marks, isTag }, levels, untouched) {
    if (isTag) return this.tag(marks[0], untouched);
    const node = document.createTextNode(text.slice(start, end));
    return marks.length ? this.segment(node, marks, levels, untouched) : node;
  }

  segment(node, marks, levels, untouched) {
    const element = made("span", { className: "span-part" }, node);
    const layers = marks.map((mark) => this.layer(this.colours[mark.label], levels.get(mark), untouched.has(mark)));
    element.style.setProperty("--tint", `var(--label-${this.colours[marks[0].label] ?? "grey"})`);
    element.style.backgroundImage = layers.map(([image]) => image).join(", ");
    element.style.backgroundPosition = layers.map(([, position]) => position).join(", ");
    return element;
  }

  layer(colour = "grey", level = 0, isDashed = false) {
    const ink = `var(--label-${colour})`;
    const image = isDashed ? `repeating-linear-gradient(90deg, ${ink} 0 5px, transparent 5px 9px)` : `linear-gradient(${ink}, ${ink})`;
    return [image, `0 calc(100% - (var(--span-levels) - ${level + 1}) * 5px)`];
  }

  tag(mark, untouched) {
    const element = made("span", { className: `span-tag${untouched.has(mark) ? " untouched" : ""}` });
    element.dataset.name = this.names[mark.label] ?? mark.label;
    element.setAttribute("aria-hidden", "true");
    element.style.setProperty("--tint", `var(--label-${this.colours[mark.label] ?? "grey"})`);
    return element;
  }

  known(element, marks) {
    if (!marks.length) return;
    this.marksOf.set(element, marks);
    for (const mark of marks) this.elements.get(mark).push(element);
  }

  // `kind` is a class, "focused" or "source", that the parts of one mark have and no others.
  point(kind, mark) {
    for (const element of this.surface.querySelectorAll(`.${kind}`)) element.classList.remove(kind);
    for (const element of this.elements.get(mark) ?? []) element.classList.add(kind);
  }
}
