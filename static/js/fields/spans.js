// Spans of the text: select words and choose a label, or choose the label first. What is pressed and pointed at comes from
// span_input.js, what is drawn from span_paint.js; here is what happens between them.

import { FIELD_TYPES } from "../label_fields.js";
import { ChoicesField } from "./choices.js";
import { SpanCaret } from "./span_caret.js";
import { SpanInput } from "./span_input.js";
import { SpanList } from "./span_list.js";
import { SpanMarks } from "./span_marks.js";
import { SpanPaint } from "./span_paint.js";
import { spanColours } from "./span_parts.js";
import { SpanPen } from "./span_pen.js";
import { SpanPlaces } from "./span_places.js";
import { SpanText } from "./span_text.js";
import { SpanTools } from "./span_tools.js";

export class SpansField {
  static onText = null; // the field whose marks are on the text: the last one that had the keys

  constructor(element, field, fields) {
    Object.assign(this, { element, field, fields });
    this.surface = fields.root.querySelector("[data-part=text]");
    this.isFirst = !("spans" in this.surface.dataset);
    const { labels: names, relations: kinds } = field.names;
    const colours = spanColours(Object.keys(names), field.colours);
    this.palette = new ChoicesField(element, field, fields);
    this.marks = new SpanMarks({ ...field.options, hasRelations: Boolean(kinds) });
    this.paint = new SpanPaint(this.surface, { names, colours });
    this.places = new SpanPlaces(this.surface, this.paint);
    this.caret = new SpanCaret({ lineFrom: (step) => this.places.lineFrom(step) });
    this.list = new SpanList(element, {
      names, kinds, colours,
      onGo: (mark) => this.focus(mark),
      onRemove: (mark) => this.change(() => this.marks.remove(mark), "removed", mark),
      onUnrelate: (relation) => this.change(() => this.marks.unrelate(relation)),
    });
    this.pen = new SpanPen(this);
    this.tools = new SpanTools(this, colours);
    this.input = new SpanInput(this);
  }

  // `picked`: what is selected and waits for a label; `focused`: the mark that keys act on; `source`: the mark
  // that a relation is being drawn from.
  show(slot, answer) {
    this.text = new SpanText(slot.text);
    this.marks.load(this.text, answer, slot.previous ? null : slot.drafts?.[this.field.name]);
    this.picked = this.focused = this.source = null;
    this.caret.set(null);
    if (this.isFirst) SpansField.onText = this;
    this.palette.show(slot, this.pen.inHand);
    this.repaint();
    const isFree = [document.body, this.surface].includes(document.activeElement) && !("previewPage" in this.fields.root.dataset);
    if (this.isFirst && isFree && this.fields.groups.shown()[0] === this.element) this.surface.focus({ preventScroll: true });
  }

  answer() {
    return this.marks.answer(this.text);
  }

  activated() {
    if (SpansField.onText === this || !this.text) return;
    SpansField.onText = this;
    this.repaint();
  }

  repaint() {
    this.list.show(this.text, this.marks.marks, this.marks.relations);
    if (SpansField.onText === this) {
      this.paint.paint(this.text, this.marks.marks, this.marks.untouched);
      this.point();
    }
    this.tools.show();
  }

  // Shows the selection, the caret, and which mark has the keys.
  point() {
    this.paint.point("focused", this.focused);
    this.paint.point("source", this.source);
    this.list.point(this.focused);
    this.places.highlight(this.picked);
    this.placeCaret();
    const selected = this.caret.selected();
    if (selected && !this.input.isTouch) this.places.select(this.focused ? { start: this.focused.end, end: this.focused.end } : selected);
  }

  placeCaret() {
    if (this.text) this.places.placeCaret(this.text, this.focused ? null : this.caret.edge(), this.caret.isEnd());
  }

  // One step that can be taken back. `said`: the sentence for it, about `mark`.
  change(step, said = "", mark = null) {
    const isDone = step();
    if (isDone === false) return;
    this.picked = null;
    for (const name of ["focused", "source"]) if (!this.marks.marks.includes(this[name])) this[name] = null;
    this.repaint();
    this.fields.changed(this);
    if (said) this.tools.say(said, mark);
  }

  // Gives a mark the keys; null lets go.
  focus(mark) {
    this.activated();
    this.picked = null;
    this.focused = mark;
    if (mark) this.caret.set({ start: mark.start, end: mark.end });
    if (mark && this.marks.untouched.delete(mark)) this.repaint();
    else this.point();
    this.tools.show();
    if (!mark) return;
    this.paint.elements.get(mark)?.[0]?.scrollIntoView({ block: "nearest" });
    this.tools.say("chosen", mark);
  }
}

FIELD_TYPES.spans = SpansField;
