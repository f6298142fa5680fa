// Ratings: a row of points for each dimension. A digit rates the active dimension and the keys move on to the next;
// ← and → move its point, ↑ and ↓ go to the dimension above and below.

import { FIELD_TYPES } from "../label_fields.js";

const ALONG = { ArrowLeft: -1, ArrowRight: 1 };
const ACROSS = { ArrowUp: -1, ArrowDown: 1 };

export class RatingField {
  constructor(element, field, fields) {
    this.fields = fields;
    this.text = element.querySelector("[data-missing-text]")?.dataset.missingText;
    this.scales = [...element.querySelectorAll("[data-dimension]")];
    element.addEventListener("change", (event) => this.rated(event.target.closest("[data-dimension]"), true));
    document.addEventListener("keydown", (event) => this.onArrow(event));
  }

  show(slot, answer) {
    for (const scale of this.scales) {
      const point = answer?.[scale.dataset.dimension];
      for (const input of scale.querySelectorAll("input")) input.checked = input.value === String(point);
      this.mark(scale);
    }
  }

  rated(scale, goOn) {
    this.mark(scale);
    this.fields.changed(this, goOn);
  }

  mark(scale) {
    scale.toggleAttribute("data-done", this.given(scale) !== null);
    scale.removeAttribute("aria-invalid");
  }

  given(scale) {
    return scale.querySelector("input:checked");
  }

  // The arrows work from anywhere but a text field or a dialog, in the scale that has the keys.
  onArrow(event) {
    const scale = this.fields.groups.active;
    const step = ALONG[event.key] ?? ACROSS[event.key];
    if (!step || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (!this.scales.includes(scale) || document.querySelector("dialog[open]")) return;
    if (event.target.closest("textarea, select, input:not([type=radio], [type=checkbox])")) return;
    event.preventDefault();
    if (ACROSS[event.key]) return this.look(this.scales[this.scales.indexOf(scale) + step]);
    const inputs = [...scale.querySelectorAll("input")];
    const at = inputs.indexOf(this.given(scale));
    const input = inputs[at < 0 ? (step > 0 ? 0 : inputs.length - 1) : at + step];
    if (!input) return;
    input.checked = true;
    input.focus({ preventScroll: true });
    this.rated(scale, false);
  }

  look(scale) {
    if (!scale) return;
    (this.given(scale) ?? scale.querySelector("input")).focus();
  }

  answer() {
    const found = {};
    for (const scale of this.scales) {
      const given = this.given(scale);
      if (given) found[scale.dataset.dimension] = Number(given.value);
    }
    return Object.keys(found).length ? found : null;
  }

  isComplete() {
    return this.scales.every((scale) => this.given(scale));
  }

  missing() {
    const open = this.scales.filter((scale) => !this.given(scale));
    for (const scale of open) scale.setAttribute("aria-invalid", "true");
    return this.text?.replace("%s", open.map((scale) => scale.querySelector("[data-name]").textContent).join(", "));
  }
}

FIELD_TYPES.rating = RatingField;
