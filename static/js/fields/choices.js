// One label or several, flat or as a tree. Where a schema has nothing else, the buttons of the page answer at once;
// else labels are radio buttons or checkboxes. In a tree one level is shown at a time, Backspace goes up.

import { FIELD_TYPES } from "../label_fields.js";
import { LabelSearch } from "../label_search.js";

export class ChoicesField {
  constructor(element, field, fields) {
    this.field = field;
    this.names = field.names.labels;
    this.buttons = [...element.querySelectorAll("[data-label-id]")];
    this.byId = new Map(this.buttons.map((button) => [button.dataset.labelId, button]));
    this.parents = new Map(this.buttons.map((button) => [button.dataset.labelId, button.dataset.parent ?? ""]));
    this.isTree = [...this.parents.values()].some(Boolean);
    this.path = element.querySelector("[data-label-path]");
    this.search = new LabelSearch(element, () => this.level(this.at ?? ""));
    this.given = [];
    this.text = element.querySelector("[data-missing-text]")?.dataset.missingText;
    element.addEventListener("change", (event) => {
      if (event.target.matches("[data-label-search]")) return;
      this.given = this.inputs().filter((input) => input.checked).map((input) => input.value);
      this.marks();
      fields.changed(this, field.type === "classification");
    });
    element.addEventListener("click", (event) => {
      const group = event.target.closest("[data-group]");
      if (group) this.level(group.dataset.labelId);
      else if (event.target.closest("[data-up]")) this.level(this.parents.get(this.at) ?? "");
    });
  }

  inputs() {
    return this.buttons.map((button) => button.querySelector("input")).filter(Boolean);
  }

  show(slot, answer) {
    this.given = answer === undefined || answer === null ? [] : [answer].flat();
    for (const input of this.inputs()) input.checked = this.given.includes(input.value);
    this.marks();
    this.search.clear();
    if (this.isTree) this.level(this.parents.get(this.given[0]) ?? "");
  }

  answer() {
    if (this.field.type === "multilabel") {
      if (!this.given.length && this.field.options.minimum) return null;
      return this.buttons.map((button) => button.dataset.labelId).filter((id) => this.given.includes(id));
    }
    return this.given[0] ?? null;
  }

  isComplete() {
    const count = this.given.length;
    if (this.field.type !== "multilabel") return count === 1;
    return count >= (this.field.options.minimum ?? 0) && count <= (this.field.options.maximum ?? Infinity);
  }

  missing() {
    return this.text;
  }

  marks() {
    for (const [id, button] of this.byId) {
      if (button.querySelector("input")) continue; // says by itself whether it is checked
      if (this.given.includes(id)) button.setAttribute("aria-pressed", "true");
      else button.removeAttribute("aria-pressed");
    }
  }

  // Show the labels below `parent` ("" is the top) and the way there.
  level(parent) {
    if (!this.isTree) return;
    this.at = parent;
    for (const [id, button] of this.byId) button.hidden = this.parents.get(id) !== parent;
    const way = [];
    for (let id = parent; id; id = this.parents.get(id)) way.unshift(this.names[id]);
    this.path.hidden = !parent;
    this.path.querySelector("[data-path]").textContent = way.join(" › ");
  }
}

FIELD_TYPES.classification = ChoicesField;
FIELD_TYPES.multilabel = ChoicesField;
