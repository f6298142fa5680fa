// The buttons and sentences of a spans field: what can be done now, what a relation is drawn from, what was just done.

import { made } from "../made.js";

export class SpanTools {
  constructor(widget, colours) {
    this.widget = widget;
    const { element, field } = widget;
    this.root = element.querySelector("[data-span-tools]");
    [this.hint, this.said, this.kinds, this.labels] = ["[data-span-hint]", "[data-span-said]", "[data-relation-kinds]", "[data-span-labels]"]
      .map((place) => element.querySelector(place));
    this.buttons = Object.fromEntries([...this.root.querySelectorAll("[data-span-act]")].map((one) => [one.dataset.spanAct, one]));
    for (const button of widget.palette.buttons) this.dot(button, colours[button.dataset.labelId]);
    const box = element.querySelector("[data-span-box]");
    box.open = matchMedia("(min-width: 641px)").matches;
    element.addEventListener("click", (event) => {
      const label = event.target.closest("[data-label-id]:not([data-group])");
      const kind = event.target.closest("[data-kind-id]");
      const act = event.target.closest("[data-span-act]");
      if (label) widget.pen.use(label.dataset.labelId);
      else if (kind) this.relate(kind.dataset.kindId);
      else if (act) this[act.dataset.spanAct]();
    });
    // a press on a button keeps the selection and the focus in the text
    element.addEventListener("mousedown", (event) => {
      if (event.target.closest("[data-label-id], [data-kind-id], [data-span-act]")) event.preventDefault();
    });
    this.names = field.names.labels;
  }

  dot(button, colour) {
    if (button.querySelector(".dot") || "group" in button.dataset) return;
    button.querySelector("kbd, .no-key")?.after(made("span", { className: `dot ${colour}` }));
  }

  // What the buttons offer and the hint says.
  show() {
    const { focused, source, picked, pen } = this.widget;
    const { texts } = this;
    this.buttons.release.hidden = !(focused || source || picked || pen.inHand);
    this.buttons.remove.hidden = !focused || Boolean(source);
    if (this.buttons.begin) this.buttons.begin.hidden = !focused || Boolean(source);
    if (this.kinds) this.kinds.hidden = !source;
    this.labels.hidden = Boolean(source);
    if (source) this.hint.textContent = texts.relating.replace("%s", this.about(source));
    else if (focused) this.hint.textContent = this.about(focused);
    else if (pen.inHand) this.hint.textContent = texts.holding.replace("%s", this.names[pen.inHand]);
    else this.hint.textContent = texts.hint;
  }

  get texts() {
    return this.root.dataset;
  }

  about(mark) {
    return this.widget.list.said(this.widget.text, mark);
  }

  // Read out by screen readers; everybody else sees it happen.
  say(name, mark) {
    this.said.textContent = this.texts[name].replace("%s", this.about(mark));
  }

  sayWords(range) {
    this.said.textContent = range ? this.widget.text.slice(range.start, range.end) : "";
  }

  complain(name, mark) {
    this.widget.fields.complain(this.widget, this.texts[name].replace("%s", this.about(mark)));
  }

  remove() {
    const { widget } = this;
    const { focused } = widget;
    if (focused) widget.change(() => widget.marks.remove(focused), "removed", focused);
  }

  begin() {
    const { widget } = this;
    if (!widget.focused || !this.kinds) return;
    widget.source = widget.focused;
    widget.point();
    this.show();
    this.said.textContent = this.hint.textContent;
  }

  relate(kind) {
    const { widget } = this;
    const { source, focused } = widget;
    if (!source || !focused || focused === source) return this.complain("other", source);
    widget.source = null;
    widget.focused = source;
    widget.change(() => widget.marks.relate(source, focused, kind), "related", source);
    return widget.focus(source);
  }

  // One thing at a time: the relation begun, the mark, the selection, the label in hand.
  release() {
    const { widget } = this;
    widget.fields.complain(widget, "");
    if (widget.source) [widget.focused, widget.source] = [widget.source, null];
    else if (widget.focused) return widget.focus(null);
    else if (widget.picked) {
      widget.picked = null;
      widget.caret.set({ start: widget.caret.edge(), end: widget.caret.edge() });
    } else return widget.pen.hold(null);
    widget.point();
    return this.show();
  }
}
