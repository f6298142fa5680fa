// What a label does when it is chosen: it marks what is selected, changes the mark that has the keys, or else it stays in
// hand for what is selected next.

export class SpanPen {
  constructor(widget) {
    this.widget = widget;
    this.inHand = null;
  }

  use(label) {
    const { picked, focused, palette } = this.widget;
    if (picked) this.mark(picked, label);
    else if (focused) this.relabel(focused, label);
    else this.hold(this.inHand === label ? null : label);
    palette.search.clear();
    if (palette.isTree) palette.level("");
  }

  hold(label) {
    this.inHand = label;
    this.widget.palette.given = [label].filter(Boolean);
    this.widget.palette.marks();
    this.widget.tools.show();
  }

  mark(range, label) {
    const { widget } = this;
    const mark = { start: range.start, end: range.end, label };
    const { nested, overlapping } = widget.field.options;
    const twin = widget.marks.marks.find((one) => one.start === mark.start && one.end === mark.end);
    if (twin && !nested && !overlapping) return this.relabel(twin, label);
    if (!this.mayStand(mark)) return undefined;
    widget.caret.set({ start: mark.end, end: mark.end });
    return widget.change(() => widget.marks.add(mark), "marked", mark);
  }

  relabel(old, label) {
    const { widget } = this;
    const mark = { ...old, label };
    if (old.label === label) return widget.focus(old);
    if (!this.mayStand(mark, old)) return undefined;
    widget.picked = null;
    widget.focused = mark;
    return widget.change(() => widget.marks.replace(old, mark), "marked", mark);
  }

  // Says why not, where a mark may not stand; the same one again is gone to.
  mayStand(mark, instead = null) {
    const { widget } = this;
    const found = widget.marks.obstacle(mark, instead);
    if (found?.why === "same") widget.focus(found.mark);
    else if (found) widget.tools.complain(found.why, found.mark);
    return !found;
  }
}
