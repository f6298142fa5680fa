// What people point at in the text of a spans field: selections by mouse and touch, clicks and taps on marks.

import { SpanKeys } from "./span_keys.js";

export class SpanInput {
  static listening = null; // ended where the page draws its fields anew, as a preview does

  constructor(widget) {
    this.widget = widget;
    this.isPointing = this.isTouch = false;
    const { surface } = widget;
    if (widget.isFirst) this.prepare(surface);
    const { signal } = SpanInput.listening;
    surface.addEventListener("click", (event) => this.isOn() && this.onClick(event));
    // a press inside a selection begins a new one: it does not drag the words away
    surface.addEventListener("mousedown", (event) => { if (this.isOn() && !this.isTouch && !event.button && !event.shiftKey) getSelection().removeAllRanges(); });
    surface.addEventListener("dblclick", (event) => this.isOn() && this.onDoubleClick(event));
    document.addEventListener("pointerdown", (event) => this.onPointer(event), { signal, capture: true });
    document.addEventListener("pointerup", () => this.onRelease(), { signal });
    document.addEventListener("selectionchange", () => this.isOn() && this.read(), { signal });
    const keys = new SpanKeys(widget, this);
    document.addEventListener("keydown", (event) => { if (this.isOn() && keys.press(event)) event.preventDefault(); }, { signal });
    new ResizeObserver(() => this.isOn() && widget.placeCaret()).observe(surface);
  }

  // The text takes the focus and its keys; screen readers hear of single marks, not the whole text at each of them.
  prepare(surface) {
    SpanInput.listening?.abort();
    SpanInput.listening = new AbortController();
    surface.dataset.spans = "";
    surface.tabIndex = 0;
    surface.setAttribute("role", "application");
    surface.setAttribute("aria-live", "off");
    surface.setAttribute("aria-label", this.widget.element.querySelector("[data-span-tools]").dataset.name);
  }

  isOn() {
    return this.widget.constructor.onText === this.widget && this.widget.element.checkVisibility() && !document.querySelector("dialog[open]");
  }

  onPointer(event) {
    this.isDown = true;
    this.isPointing = this.widget.surface.contains(event.target);
    this.isTouch = event.pointerType === "touch";
    if (this.isPointing && this.isOn()) this.widget.fields.groups.activate(this.widget.element);
  }

  // What was selected is known once the browser is done with the release; by then a double click may hold it down again.
  onRelease() {
    this.isDown = false;
    if (this.isOn() && this.isPointing) setTimeout(() => { if (!this.isDown) this.finish(); });
  }

  // Takes over what the browser has selected. That nothing is selected counts only where somebody clicked so: a tap on a
  // button takes the selection away as well.
  read() {
    const { widget } = this;
    const found = widget.places.selected();
    if (!found || widget.source || (found.start === found.end && !this.isPointing)) return;
    const picked = widget.text.snap(found.start, found.end, widget.field.options.whole_words);
    if (this.isPointing && !(widget.focused && !picked)) widget.caret.set(picked ?? { start: found.end, end: found.end });
    if (picked) widget.focused = null;
    widget.picked = picked;
    widget.places.highlight(picked);
    if (picked) widget.paint.point("focused", null);
    widget.tools.show();
  }

  // A selection by mouse is whole: shown as it was understood, and marked at once where a label is in hand.
  finish() {
    const { widget } = this;
    this.read();
    if (this.isTouch || !widget.picked) return widget.placeCaret();
    if (widget.pen.inHand) return widget.pen.mark(widget.picked, widget.pen.inHand);
    return widget.point();
  }

  onClick(event) {
    const { widget } = this;
    if (!getSelection().isCollapsed) return;
    const marks = widget.paint.marksOf.get(event.target.closest(".span-part, .span-tag"));
    const at = marks ? marks.indexOf(widget.focused) : -1;
    if (marks && !(widget.source && marks.length === 1 && marks[0] === widget.source)) widget.focus(marks[(at + 1) % marks.length]);
    else if (this.isTouch && widget.pen.inHand && !marks) this.tapWord(event);
    else if (!marks && !widget.source) this.letGo(event);
  }

  wordUnder(event) {
    const unit = this.widget.places.unitAtPoint(event.clientX, event.clientY);
    return unit === null ? null : this.widget.text.wordAt(unit);
  }

  tapWord(event) {
    const word = this.wordUnder(event);
    if (word) this.widget.pen.mark(word, this.widget.pen.inHand);
  }

  onDoubleClick(event) {
    const word = this.wordUnder(event);
    if (word) this.widget.places.select(word);
  }

  letGo(event) {
    const unit = this.widget.places.unitAtPoint(event.clientX, event.clientY);
    if (unit !== null) this.widget.caret.set({ start: unit, end: unit });
    this.widget.focus(null);
  }
}
