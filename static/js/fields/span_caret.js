// The keyboard's way through the text. The arrows go from word to word and select it, Shift takes the next one in as well;
// with Ctrl or Alt they go by character. Left and right are what they look like: in right-to-left text left goes on.
//
// Two ranges say what is selected: `pivot`, where it began, and `head`, which moves.

const point = (unit) => ({ start: unit, end: unit });

export class SpanCaret {
  // lineFrom(step): the unit a line above or below on the screen
  constructor({ lineFrom }) {
    this.lineFrom = lineFrom;
    this.pivot = this.head = null;
  }

  set(range) {
    this.pivot = this.head = range;
  }

  selected() {
    if (!this.pivot) return null;
    return { start: Math.min(this.pivot.start, this.head.start), end: Math.max(this.pivot.end, this.head.end) };
  }

  // Where the caret is drawn: the end that moves.
  edge() {
    if (!this.pivot) return null;
    return this.head.start < this.pivot.start ? this.head.start : this.head.end;
  }

  // Whether that is the end of a selection, not its start.
  isEnd() {
    const selected = this.selected();
    return selected !== null && selected.start < selected.end && this.edge() === selected.end;
  }

  // Whether the key press moves the caret, which it then has done.
  press(text, event) {
    const { key, shiftKey: extends_ } = event;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[key];
    if (event.metaKey || !text.length) return false;
    if (key === "Home" || key === "End") this.go(key === "Home" ? text.wordFrom(0) : text.wordBefore(text.length), extends_);
    else if (!step) return false;
    else if (key === "ArrowDown" || key === "ArrowUp") this.line(text, step, extends_);
    else {
      const forward = text.isRightToLeft(this.edge() ?? 0) ? -step : step;
      if (event.ctrlKey || event.altKey) this.character(text, forward, extends_);
      else this.word(text, forward, extends_);
    }
    return true;
  }

  go(range, extends_) {
    if (!range) return;
    this.head = range;
    if (!extends_ || !this.pivot) this.pivot = range;
  }

  word(text, step, extends_) {
    if (!this.pivot) return this.go(text.wordFrom(0), false);
    const from = extends_ ? this.head : this.selected();
    return this.go(step > 0 ? text.wordFrom(from.end) : text.wordBefore(from.start), extends_);
  }

  character(text, step, extends_) {
    if (!this.pivot) return this.set(point(0));
    const { start, end } = this.selected();
    const edge = this.edge();
    const next = (unit) => (step > 0 ? text.graphemeEnd(Math.min(unit + 1, text.length)) : text.graphemeStart(Math.max(unit - 1, 0)));
    if (extends_) {
      this.pivot = point(edge === end ? start : end);
      this.head = point(next(edge));
    } else if (start < end) this.set(point(step > 0 ? end : start));
    else this.set(point(next(edge)));
    return undefined;
  }

  line(text, step, extends_) {
    const unit = this.pivot ? this.lineFrom(step) : 0;
    if (unit === null) return;
    this.go(text.wordAt(unit) ?? (step > 0 ? text.wordFrom(unit) : text.wordBefore(unit)), extends_);
  }
}
