// A response, written or edited from a draft, with a counter of its characters. Ctrl or ⌘ Enter submits from inside the
// text, Esc leaves it so that the page's keys work.

import { FIELD_TYPES } from "../label_fields.js";
import { ResponsePanes } from "./response_panes.js";

export class ResponseField {
  constructor(element, field, fields) {
    Object.assign(this, { element, field, fields });
    this.texts = element.querySelector("[data-texts]").dataset;
    this.text = element.querySelector("textarea");
    this.counter = element.querySelector("[data-counter-place]");
    this.restore = element.querySelector("[data-restore]");
    this.low = field.options.minimum ?? 1;
    this.high = field.options.maximum ?? 20000;
    this.panes = new ResponsePanes({ element, text: this.text, unchanged: this.texts.unchanged });
    this.text.addEventListener("input", () => this.typed());
    this.text.addEventListener("keydown", (event) => this.onKey(event));
    this.restore.addEventListener("click", () => this.replace(this.draft));
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-view]");
      if (button) this.panes.choose(button.dataset.view);
    });
  }

  show(slot, answer) {
    this.draft = slot.drafts?.[this.field.name]?.text ?? "";
    this.restore.hidden = !this.draft;
    this.text.value = answer?.text ?? "";
    this.text.setSelectionRange(this.text.value.length, this.text.value.length);
    this.panes.show(this.draft);
    this.measure();
  }

  onKey(event) {
    if (event.isComposing) return; // Enter and Esc belong to the input method
    if (event.key === "Escape") this.text.blur();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.repeat || this.fields.submit();
    else return;
    event.preventDefault();
  }

  typed() {
    this.measure();
    this.panes.paintSoon();
    this.fields.changed(this);
  }

  // As if it were typed, so that the browser's own undo brings back what stood there.
  replace(text) {
    this.panes.choose("write");
    this.text.select();
    if (document.execCommand("insertText", false, text)) return;
    this.text.value = text;
    this.typed();
  }

  // Counted as the server counts: code points, without white space at the end.
  length() {
    return [...this.text.value.trimEnd()].length;
  }

  measure() {
    const count = this.length();
    const words = this.low > 1 ? this.texts.counter : this.texts.counterMost;
    const said = { "%n": count, "%low": this.low, "%high": this.high };
    this.counter.textContent = words.replace(/%(?:n|low|high)/g, (mark) => said[mark].toLocaleString(document.documentElement.lang));
    this.counter.toggleAttribute("data-off", count > this.high || (count > 0 && count < this.low));
    this.element.toggleAttribute("data-done", this.isComplete());
  }

  answer() {
    const text = this.text.value.trimEnd();
    return text || !this.low ? { text } : null;
  }

  isComplete() {
    return this.length() >= this.low && this.length() <= this.high;
  }

  missing() {
    const count = this.length();
    return count < this.low ? this.texts.missingShort.replace("%n", this.low - count) : this.texts.missingLong.replace("%n", count - this.high);
  }
}

FIELD_TYPES.response = ResponseField;
