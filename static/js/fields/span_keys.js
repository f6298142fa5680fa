// The keys of a spans field beside those on its buttons: the caret, Tab from mark to mark, taking back.

const TYPING = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
const OWN_ARROWS = "input, summary";

export class SpanKeys {
  constructor(widget, input) {
    Object.assign(this, { widget, input });
  }

  // Whether the key did something here.
  press(event) {
    const { widget } = this;
    if (event.defaultPrevented || event.isComposing || event.target.closest?.(TYPING)) return false;
    const isText = widget.surface.contains(event.target);
    const isHere = isText || widget.element.contains(widget.fields.groups.active);
    if ((event.ctrlKey || event.metaKey) && /^[zy]$/i.test(event.key)) return isHere && this.takeBack(event);
    if (event.key === "Tab") return (isText || (event.target === document.body && widget.focused !== null)) && this.walk(event.shiftKey ? -1 : 1);
    if (!isHere) return false;
    if (event.key === "Backspace" && widget.focused) return widget.tools.remove(), true;
    if (widget.source || event.target.closest?.(OWN_ARROWS)) return false;
    this.input.isPointing = this.input.isTouch = false;
    if (!widget.caret.press(widget.text, event)) return false;
    this.moved();
    return true;
  }

  // The keyboard's selection is one like any other.
  moved() {
    const { widget } = this;
    const selected = widget.caret.selected();
    if (!selected) return;
    widget.focused = null;
    widget.picked = widget.text.snap(selected.start, selected.end);
    widget.surface.focus({ preventScroll: true });
    widget.point();
    widget.paint.caret.scrollIntoView({ block: "nearest" });
    widget.tools.show();
    widget.tools.sayWords(widget.picked);
  }

  takeBack(event) {
    const { widget } = this;
    const isAgain = event.shiftKey || event.key.toLowerCase() === "y";
    widget.change(() => (isAgain ? widget.marks.redo() : widget.marks.undo()));
    return true;
  }

  // To the next mark behind the caret, or the one before it; at the end Tab leaves the text.
  walk(step) {
    const { widget } = this;
    const { marks } = widget.marks;
    const { start, end } = widget.caret.selected() ?? { start: 0, end: 0 };
    let at = marks.indexOf(widget.focused) + step;
    if (!widget.focused) at = step > 0 ? marks.findIndex((one) => one.start >= start) : marks.findLastIndex((one) => one.end <= end);
    if (!marks[at]) return false;
    this.input.isTouch = false;
    widget.focus(marks[at]);
    return true;
  }
}
