// Ratings: a row of points for each dimension. A digit rates the active dimension and the keys move on to the next.

import { FIELD_TYPES } from "../label_fields.js";

export class RatingField {
  constructor(element, field, fields) {
    this.field = field;
    this.scales = [...element.querySelectorAll("[data-dimension]")];
    element.addEventListener("change", (event) => {
      const scale = event.target.closest("[data-dimension]");
      this.mark(scale);
      fields.changed(this, true);
    });
  }

  show(slot, answer) {
    for (const scale of this.scales) {
      const point = answer?.[scale.dataset.dimension];
      for (const input of scale.querySelectorAll("input")) input.checked = input.value === String(point);
      this.mark(scale);
    }
  }

  mark(scale) {
    const given = scale.querySelector("input:checked");
    scale.toggleAttribute("data-done", Boolean(given));
    for (const point of scale.querySelectorAll(".point")) {
      point.toggleAttribute("data-chosen", point.contains(given));
    }
  }

  answer() {
    const found = {};
    for (const scale of this.scales) {
      const given = scale.querySelector("input:checked");
      if (given) found[scale.dataset.dimension] = Number(given.value);
    }
    return Object.keys(found).length ? found : null;
  }

  isComplete() {
    return this.scales.every((scale) => scale.querySelector("input:checked"));
  }
}

FIELD_TYPES.rating = RatingField;
