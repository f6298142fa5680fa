// Finding one of many labels by typing: / focuses the field, what is typed filters, Enter chooses the first match,
// the arrow down walks into the matches, Esc leaves. Nothing but Enter chooses.

export class LabelSearch {
  // onEmpty() paints what stands there without a search (one level of a tree).
  constructor(root, onEmpty = () => {}) {
    this.onEmpty = onEmpty;
    this.field = root.querySelector("[data-label-search]");
    this.buttons = [...root.querySelectorAll("[data-label-id]")];
    this.nothing = root.querySelector("[data-label-none]");
    if (!this.field) return;
    this.field.hidden = false;
    root.querySelector("[data-focus-search]")?.addEventListener("click", () => this.field.focus());
    this.field.addEventListener("input", () => this.filter());
    this.field.addEventListener("keydown", (event) => this.onKey(event));
    this.field.form.addEventListener("keydown", (event) => this.onArrow(event));
  }

  matches() {
    return this.buttons.filter((button) => !button.hidden);
  }

  filter() {
    const words = this.field.value.trim().toLowerCase().split(/\s+/);
    for (const button of this.buttons) {
      const name = button.dataset.search;
      const isGroup = "group" in button.dataset && Boolean(words[0]);
      button.hidden = isGroup || !words.every((word) => name.includes(word));
      button.classList.remove("first-match");
    }
    if (!words[0]) this.onEmpty();
    const found = this.matches();
    this.nothing.hidden = found.length > 0;
    if (words[0] && found[0]) found[0].classList.add("first-match");
  }

  onKey(event) {
    if (event.isComposing) return; // Enter ends the composition of Chinese input, not the search
    if (event.key === "Enter") {
      event.preventDefault(); // never the form's first button
      if (!event.repeat && this.field.value.trim()) this.matches()[0]?.click();
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.clear();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      this.matches()[0]?.focus();
    }
  }

  onArrow(event) {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const found = this.matches();
    const at = found.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = found[at + step];
    if (next) next.focus();
    else if (at + step < 0) this.field.focus();
  }

  clear() {
    if (!this.field || (!this.field.value && document.activeElement !== this.field)) return;
    this.field.value = "";
    this.filter();
    this.field.blur();
  }
}
