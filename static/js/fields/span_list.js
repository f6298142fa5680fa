// The marks as a list: a button that goes to the mark and one that takes it away, and the same for relations. Entries that
// stay are not made anew, so a long list costs little and keeps its focus.

import { made } from "../made.js";

const LONGEST_MARK = 80; // characters of a mark's text in the list

export class SpanList {
  // options: names, kinds, colours, onGo(mark), onRemove(mark), onUnrelate(relation)
  constructor(element, options) {
    Object.assign(this, options);
    this.list = element.querySelector("[data-span-list]");
    this.links = element.querySelector("[data-relation-list]");
    this.count = element.querySelector("[data-span-count]");
    this.nothing = element.querySelector("[data-span-none]");
    this.remove = element.querySelector("[data-span-list]").dataset.remove;
    this.entries = new Map();
    this.list.addEventListener("click", (event) => this.onClick(event, this.onGo, this.onRemove));
    this.links?.addEventListener("click", (event) => this.onClick(event, () => {}, this.onUnrelate));
  }

  onClick(event, go, remove) {
    const button = event.target.closest("button");
    if (!button) return;
    const entry = button.closest("li");
    if (!("removes" in button.dataset)) return void go(entry.mark);
    const next = entry.nextElementSibling ?? entry.previousElementSibling;
    remove(entry.mark);
    next?.querySelector("button").focus(); // the focus is not lost with the button that had it
  }

  show(text, marks, relations) {
    const kept = new Set(marks);
    for (const [mark, entry] of this.entries) {
      if (kept.has(mark) && entry.text === text) continue;
      entry.remove();
      this.entries.delete(mark);
    }
    let place = this.list.firstChild;
    for (const mark of marks) {
      if (!this.entries.has(mark)) this.entries.set(mark, this.entry(text, mark));
      const entry = this.entries.get(mark);
      if (entry === place) place = place.nextSibling;
      else this.list.insertBefore(entry, place);
    }
    this.count.textContent = marks.length;
    this.nothing.hidden = marks.length > 0;
    if (!this.links) return;
    this.links.hidden = !relations.length;
    this.links.replaceChildren(...relations.map((one) => this.link(text, one)));
  }

  named(text, mark) {
    const words = text.slice(mark.start, mark.end).replace(/\s+/g, " ");
    const letters = Array.from(words.slice(0, 2 * LONGEST_MARK));
    return letters.length > LONGEST_MARK ? `${letters.slice(0, LONGEST_MARK).join("")}…` : words;
  }

  said(text, mark) {
    return `${this.names[mark.label] ?? mark.label}: ${this.named(text, mark)}`;
  }

  entry(text, mark) {
    const label = made("strong", { textContent: this.names[mark.label] ?? mark.label });
    const words = made("bdi", { textContent: this.named(text, mark) });
    const dot = made("span", { className: `dot ${this.colours[mark.label] ?? ""}` });
    return this.row(text, mark, made("button", { type: "button", className: "span-go" }, dot, label, ": ", words), this.said(text, mark));
  }

  link(text, one) {
    const words = (mark) => made("bdi", { textContent: this.named(text, mark) });
    const kind = made("strong", { textContent: this.kinds[one.label] ?? one.label });
    const line = made("span", { className: "span-link" }, words(one.from), " ", kind, " → ", words(one.to));
    return this.row(text, one, line, line.textContent);
  }

  row(text, mark, line, said) {
    const remove = made("button", { type: "button", className: "button small ghost", textContent: "✕" });
    remove.dataset.removes = "";
    remove.setAttribute("aria-label", this.remove.replace("%s", said));
    return Object.assign(made("li", {}, line, remove), { mark, text });
  }

  point(mark) {
    for (const one of this.list.querySelectorAll("[aria-current]")) one.removeAttribute("aria-current");
    this.entries.get(mark)?.firstChild.setAttribute("aria-current", "true");
  }
}
