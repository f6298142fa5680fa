// Between places in the text and places on the screen: the browser's selection, the caret, and what lies under a finger.

const PICKED = globalThis.Highlight ? new Highlight() : null; // keeps a selection seen while another field has the focus
if (PICKED) CSS.highlights.set("span-picked", PICKED);

export class SpanPlaces {
  constructor(surface, paint) {
    Object.assign(this, { surface, paint });
  }

  // The unit that a place in the document is; null outside the text.
  unitAt(node, offset) {
    if (!this.surface.contains(node)) return null;
    const known = this.paint.nodes.find((one) => one.node === node);
    if (known) return known.start + offset;
    const range = document.createRange();
    range.setStart(this.surface, 0);
    range.setEnd(node, offset);
    return range.toString().length;
  }

  // The text node at a place; at a border the one before it with `isEnd`.
  at(unit, isEnd) {
    const { nodes } = this.paint;
    let [low, high] = [0, nodes.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isEnd ? nodes[middle].end < unit : nodes[middle].end <= unit) low = middle + 1;
      else high = middle;
    }
    return nodes[low] ? [nodes[low].node, Math.min(unit, nodes[low].end) - nodes[low].start] : [this.surface, 0];
  }

  range(start, end) {
    const range = document.createRange();
    range.setStart(...this.at(start, false));
    range.setEnd(...this.at(end, true));
    return range;
  }

  // What the browser has selected of the text, as {start, end}; null where the selection is elsewhere.
  selected() {
    const selection = getSelection();
    const range = selection.rangeCount ? selection.getRangeAt(0) : null;
    if (!range?.intersectsNode(this.surface)) return null;
    const [start, end] = [this.unitAt(range.startContainer, range.startOffset), this.unitAt(range.endContainer, range.endOffset)];
    if (start === null && end === null && range.collapsed) return null;
    return { start: start ?? 0, end: end ?? this.surface.textContent.length };
  }

  select({ start, end }) {
    const range = this.range(start, end);
    const [from, to] = start === end ? [[range.startContainer, range.startOffset], [range.startContainer, range.startOffset]]
      : [[range.startContainer, range.startOffset], [range.endContainer, range.endOffset]];
    getSelection().setBaseAndExtent(...from, ...to);
  }

  highlight(picked) {
    PICKED?.clear();
    if (picked) PICKED?.add(this.range(picked.start, picked.end));
  }

  // The caret, at the moving end of a selection: behind the last character of it (`isEnd`) or before the first. null
  // takes it away.
  placeCaret(text, unit, isEnd = false) {
    const { caret } = this.paint;
    caret.hidden = unit === null || !text.length;
    if (caret.hidden) return;
    const isBehind = unit >= text.length || (isEnd && unit > 0);
    const [start, end] = isBehind ? [text.graphemeStart(unit - 1), unit] : [unit, text.graphemeEnd(unit + 1)];
    const box = [...this.range(start, end).getClientRects()].at(isBehind ? -1 : 0);
    if (!box) return;
    const isAtRight = text.isRightToLeftAt(start) !== isBehind;
    const frame = this.surface.getBoundingClientRect();
    Object.assign(caret.style, {
      left: `${(isAtRight ? box.right : box.left) - frame.left - 1}px`,
      top: `${box.top - frame.top}px`,
      height: `${box.height}px`,
    });
  }

  unitAtPoint(x, y) {
    const found = document.caretPositionFromPoint?.(x, y);
    if (found) return this.unitAt(found.offsetNode, found.offset);
    const range = document.caretRangeFromPoint?.(x, y); // Safari
    return range ? this.unitAt(range.startContainer, range.startOffset) : null;
  }

  // The unit one line above (-1) or below (1) the caret; null where there is none.
  lineFrom(step) {
    const height = parseFloat(getComputedStyle(this.surface).lineHeight);
    const middle = (box) => box.top + box.height / 2 + step * height;
    let box = this.paint.caret.getBoundingClientRect();
    if (middle(box) < height || middle(box) > innerHeight - height) {
      this.paint.caret.scrollIntoView({ block: "center" });
      box = this.paint.caret.getBoundingClientRect();
    }
    return this.unitAtPoint(box.left + 1, middle(box));
  }
}
