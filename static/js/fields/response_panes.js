// What is shown beside a text that is being written: its preview, or what changed in the draft. On a narrow page the text,
// the preview and the changes take turns.

import { differences } from "../differences.js";
import { made } from "../made.js";
import { markdown } from "../markdown.js";

const NARROW = "(max-width: 860px)";
const REST_MS = 120; // between typing and painting
const ELEMENTS = { gone: "del", new: "ins" };

export class ResponsePanes {
  // options: element (holds [data-writing] and the buttons [data-view]), text (the textarea), unchanged (a sentence)
  constructor(options) {
    Object.assign(this, options);
    this.writing = this.element.querySelector("[data-writing]");
    this.views = [...this.element.querySelectorAll("[data-view]")];
    this.draft = "";
    this.narrow = matchMedia(NARROW);
    this.narrow.addEventListener("change", () => this.settle());
  }

  show(draft) {
    this.draft = draft;
    this.view("changes").hidden = !draft;
    this.settle();
  }

  view(name) {
    return this.views.find((button) => button.dataset.view === name);
  }

  settle() {
    this.look(this.narrow.matches ? "write" : this.side());
  }

  // The pane that stands beside the text: the one chosen last, where this item has it.
  side() {
    if (this.preferred === "changes" && this.draft) return "changes";
    if (this.view("preview")) return "preview";
    return this.draft ? "changes" : "write";
  }

  choose(name) {
    if (name !== "write") this.preferred = name;
    if (name !== "write" || this.narrow.matches) this.look(name);
    if (name === "write") this.text.focus();
  }

  look(name) {
    this.writing.dataset.shows = name;
    for (const button of this.views) button.setAttribute("aria-pressed", button.dataset.view === name);
    this.paint();
  }

  paintSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.paint(), REST_MS);
  }

  paint() {
    clearTimeout(this.timer);
    const { shows } = this.writing.dataset;
    const pane = this.writing.querySelector(`[data-pane="${shows}"]`);
    pane?.replaceChildren(...(shows === "preview" ? markdown(this.text.value) : this.changes()));
  }

  changes() {
    const parts = differences(this.draft, this.text.value);
    if (parts.every((part) => part.kind === "same")) return [made("p", { className: "quiet", textContent: this.unchanged })];
    return parts.map(({ kind, text }) => (kind === "same" ? text : made(ELEMENTS[kind], { textContent: text })));
  }
}
