// Paints one item into the page that the server rendered: text, suggestion, marks on the labels, "why this item".
// Nothing is built at a key press; what changes are a few text nodes and attributes.

import { made, madeTurn } from "./made.js";

const TWICE_MS = 150; // the same button again within this time is a bounce or a double tap: nobody has read the item

export class ItemView {
  constructor(root, data) {
    this.data = data;
    this.parts = Object.fromEntries(
      ["work", "nothing", "text", "messages", "meta", "suggestion", "suggested", "confidence", "why", "parts", "note", "likely", "saved", "notice", "progress"]
        .map((name) => [name, document.querySelector(`[data-part="${name}"]`)]),
    );
    this.form = root.querySelector("form");
    this.labels = data.instant ? data.fields[0].names.labels : {};
    this.root = root;
    this.shown = this.form.elements.slot.value;
    this.setPainted(true);
    this.last = { button: "", at: 0 };
  }

  // Whether pressing `button` at `at` may answer: the item was painted, and it is not the same button bouncing. Each
  // press that is turned away starts the pause anew, so ten presses a second answer once.
  accepts(button, at) {
    const isBounce = button === this.last.button && at - this.last.at < TWICE_MS;
    this.last = { button, at };
    return this.isPainted && !isBounce;
  }

  // [data-painted] on the page: an answer given now is taken.
  setPainted(isPainted) {
    this.isPainted = isPainted;
    this.root.toggleAttribute("data-painted", isPainted);
  }

  paint(slot) {
    const { work, nothing, text } = this.parts;
    work.hidden = !slot;
    nothing.hidden = Boolean(slot);
    if (!slot) return;
    text.textContent = slot.text;
    text.scrollTop = 0;
    this.surroundings(slot);
    this.form.elements.slot.value = slot.slot;
    this.form.elements.prelabel.value = slot.prelabel?.uuid ?? "";
    this.suggest(slot.prelabel);
    this.explain(slot.explanation);
    this.likely(slot.scores || {});
    if (slot.slot === this.shown) return; // the server had painted the first one
    this.shown = slot.slot;
    this.setPainted(false);
    // the frame is on the screen once a task has run after the next animation frame
    requestAnimationFrame(() => setTimeout(() => this.setPainted(true)));
  }

  // The dialogue and the metadata. Text is shown as text: no item can inject markup.
  surroundings(slot) {
    const { messages, meta, text } = this.parts;
    const turns = slot.content?.messages ?? [];
    messages.hidden = !turns.length;
    text.toggleAttribute("data-repeats", Boolean(turns.length));
    messages.replaceChildren(...turns.map((turn) => madeTurn(turn, messages)));
    if (turns.length) messages.parentElement.scrollTop = messages.parentElement.scrollHeight; // the last turn is answered
    const shown = slot.meta ?? [];
    meta.hidden = !shown.length;
    meta.replaceChildren(...shown.map((one) => made("div", {}, made("dt", { textContent: one.name }), made("dd", { textContent: one.value }))));
  }

  suggest(prelabel) {
    const label = this.data.instant ? this.labels[prelabel?.value[this.data.fields[0].name]] : prelabel && "";
    this.parts.suggestion.hidden = label === undefined || label === null;
    if (this.parts.suggestion.hidden) return;
    this.parts.suggested.textContent = label;
    this.parts.confidence.textContent = `${Math.round(100 * prelabel.confidence)} %`;
  }

  explain(explanation) {
    const { why, parts, note } = this.parts;
    const scores = Object.entries(explanation?.parts || {}).filter(([, value]) => typeof value === "number");
    const tags = explanation?.tags || [];
    why.hidden = !explanation || !(scores.length || tags.length || explanation.note || explanation.round);
    if (why.hidden) return;
    const weight = (name) => (name in (explanation.weights || {}) ? ` × ${explanation.weights[name]}` : "");
    const words = scores.map(([name, value]) => `${this.data.parts[name] || name} ${value.toFixed(2)}${weight(name)}`);
    words.push(...tags.map((name) => this.data.parts[name] || name));
    if (explanation.round) words.push(this.data.texts.round.replace("%s", explanation.round));
    parts.textContent = words.join(" · ");
    note.textContent = explanation.note || "";
  }

  likely(scores) {
    if (!this.parts.likely) return;
    const best = Object.entries(scores).filter(([id]) => id in this.labels).sort((a, b) => b[1] - a[1]).slice(0, 4);
    this.parts.likely.hidden = best.length === 0;
    [...this.parts.likely.querySelectorAll("button")].forEach((button, index) => {
      button.hidden = index >= best.length;
      if (button.hidden) return;
      button.value = best[index][0];
      button.textContent = `${this.labels[best[index][0]]} ${Math.round(100 * best[index][1])} %`;
    });
  }

  progress(progress) {
    if (progress) this.parts.progress.textContent = this.data.texts.progress.replace("%s", progress.today).replace("%s", progress.goal);
  }

  saved(state, count) {
    this.parts.saved.textContent = this.data.texts[state].replace("%s", count);
    this.parts.saved.dataset.state = state;
    this.parts.nothing.dataset.state = state;
  }

  notice(message) {
    this.parts.notice.textContent = message || "";
    this.parts.notice.hidden = !message;
  }
}
