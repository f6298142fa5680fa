// The fields of a schema on one page: which are asked, which one the keys act in, and the value they hold together.
//
// A field's widget is a class registered in FIELD_TYPES (fields/*.js):
//   constructor(element, field, fields)   element: its <section data-field>; field: its part of the page's data
//   show(slot, answer)                    paint for an item; answer is a draft, what was taken back, or undefined
//   answer()                              the answer as the API takes it, or null while there is none
//   isComplete()                          optional; whether it may be sent (default: there is an answer)
// and calls fields.changed(this, goOn) when a person changed it; goOn moves the keys to the next group.

export const FIELD_TYPES = {};

export class Fields {
  // options: onChange() after a person changed something
  constructor(root, data, { onChange = () => {} } = {}) {
    this.root = root;
    this.onChange = onChange;
    this.widgets = data.fields.map((field) => {
      const element = root.querySelector(`[data-field="${field.name}"]`);
      const widget = new FIELD_TYPES[field.type](element, field, this);
      return Object.assign(widget, { element, field });
    });
    this.missing = data.texts.missing;
    root.addEventListener("focusin", (event) => this.activate(event.target.closest("[data-key-group]")));
    root.addEventListener("pointerdown", (event) => this.activate(event.target.closest("[data-key-group]")));
  }

  // `value`: field name -> answer.
  show(slot, value) {
    for (const widget of this.widgets) {
      widget.show(slot, value?.[widget.field.name]);
      this.complain(widget, "");
    }
    this.askWhatApplies();
    this.active = null;
    this.activate(this.groups()[0]);
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
      this.complain(widget, this.missing);
      this.activate(this.groups(widget.element).find((group) => !group.dataset.done) ?? this.groups(widget.element)[0]);
      widget.element.scrollIntoView({ block: "nearest" });
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
    if (goOn) this.next();
  }

  // Innermost key groups in the order of the page: keys act in one of them at a time.
  groups(within = this.root) {
    const all = [...within.querySelectorAll("[data-key-group]"), ...(within.matches("[data-key-group]") ? [within] : [])];
    return all.filter((group) => !group.querySelector("[data-key-group]") && group.checkVisibility());
  }

  activate(group) {
    const groups = this.groups();
    if (!group || group === this.active || !groups.includes(group)) return;
    this.active = group;
    for (const one of groups) one.toggleAttribute("data-keys-off", one !== group);
  }

  next(step = 1) {
    const groups = this.groups();
    const at = groups.indexOf(this.active) + step;
    if (at < 0 || at >= groups.length) return;
    this.activate(groups[at]);
    groups[at].scrollIntoView({ block: "nearest" });
  }
}
