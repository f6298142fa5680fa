// The fields of a schema on one page: which are asked, and the value they hold together.
//
// A field's widget is a class registered in FIELD_TYPES (fields/*.js):
//   constructor(element, field, fields)   element: its <section data-field>; field: its part of the page's data
//   show(slot, answer)                    paint for an item; answer is a draft, what was taken back, or undefined
//   answer()                              the answer as the API takes it, or null while there is none
//   isComplete()                          optional; whether it may be sent (default: there is an answer)
//   activated()                           optional; the keys have come to it
//   missing()                             optional; marks what is missing and says it in a sentence
// and calls fields.changed(this, goOn) when a person changed it; goOn moves the keys to the next group. A group that is
// answered has data-done: what is missing gets the keys.

import { KeyGroups } from "./label_groups.js";

export const FIELD_TYPES = {};

export class Fields {
  // options: onChange() after a person changed something
  constructor(root, data, { onChange = () => {} } = {}) {
    this.root = root;
    this.onChange = onChange;
    this.missing = data.texts.missing;
    const sections = data.fields.map((field) => root.querySelector(`[data-field="${field.name}"]`));
    this.groups = new KeyGroups(root, sections, (group) => this.widgets.find((widget) => widget.element.contains(group))?.activated?.());
    this.widgets = data.fields.map((field, at) => {
      const widget = new FIELD_TYPES[field.type](sections[at], field, this);
      return Object.assign(widget, { element: sections[at], field });
    });
  }

  // `value`: field name -> answer.
  show(slot, value) {
    for (const widget of this.widgets) {
      widget.show(slot, value?.[widget.field.name]);
      this.complain(widget, "");
    }
    this.groups.active = null;
    this.askWhatApplies();
  }

  // The fields that apply to the answers so far, as the server's `asked` has it.
  askWhatApplies() {
    const value = {};
    for (const widget of this.widgets) {
      const { name, when } = widget.field;
      const applies = !when || [value[when.field]].flat().some((answer) => when.in.includes(answer));
      widget.element.hidden = !applies;
      if (applies) value[name] = widget.answer();
    }
    this.groups.refresh();
  }

  asked() {
    return this.widgets.filter((widget) => !widget.element.hidden);
  }

  // What is answered so far, whole or not.
  partial() {
    const found = {};
    for (const widget of this.asked()) {
      const answer = widget.answer();
      if (answer !== null) found[widget.field.name] = answer;
    }
    return found;
  }

  // The whole value; null while something is missing, which is then said and gets the keys.
  value() {
    for (const widget of this.asked()) {
      const isComplete = widget.isComplete ? widget.isComplete() : widget.answer() !== null;
      const mayBeEmpty = !widget.field.required && widget.answer() === null;
      if (isComplete || mayBeEmpty) continue;
      this.complain(widget, widget.missing?.() || this.missing);
      const groups = this.groups.shown(widget.element);
      const group = groups.find((one) => !("done" in one.dataset)) ?? groups[0];
      this.groups.activate(group);
      (group ?? widget.element).scrollIntoView({ block: "nearest" });
      return null;
    }
    return this.partial();
  }

  complain(widget, sentence) {
    const place = widget.element.querySelector("[data-complaint]");
    if (!place) return;
    place.textContent = sentence;
    place.hidden = !sentence;
  }

  changed(widget, goOn = false) {
    this.complain(widget, "");
    this.askWhatApplies();
    this.onChange();
    if (goOn) this.groups.step();
  }

  // As if "Submit" were pressed: for widgets in whose text fields Enter is a line of its own.
  submit() {
    this.root.querySelector("[data-submits]")?.click();
  }
}
