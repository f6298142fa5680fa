// Paints one suggestion into the page of the quick pass: the item, what is suggested, marks in the text.

import { made, madeTurn } from "./made.js";

const TWICE_MS = 150; // the same button again within this time is a bounce: nobody has read the item

export class CheckView {
  constructor(root, data) {
    this.data = data;
    this.form = root.querySelector("form");
    this.parts = Object.fromEntries(
      ["work", "nothing", "text", "messages", "responses", "meta", "said", "confidence", "edit", "saved", "notice", "progress"]
        .map((name) => [name, document.querySelector(`[data-part="${name}"]`)]),
    );
    this.last = { button: "", at: 0 };
  }

  accepts(button, at) {
    const isBounce = button === this.last.button && at - this.last.at < TWICE_MS;
    this.last = { button, at };
    return !isBounce;
  }

  paint(slot) {
    const { work, nothing, text, said, confidence, edit } = this.parts;
    work.hidden = !slot;
    nothing.hidden = Boolean(slot);
    if (!slot) return;
    text.replaceChildren(...(slot.marks ? slot.marks.map((piece) => this.piece(piece)) : [slot.text]));
    text.scrollTop = 0;
    said.textContent = slot.said;
    confidence.textContent = `${Math.round(100 * (slot.prelabel?.confidence ?? 0))} %`;
    edit.href = this.data.edit + slot.slot;
    this.form.elements.slot.value = slot.slot;
    this.form.elements.prelabel.value = slot.prelabel?.uuid ?? "";
    this.surroundings(slot);
  }

  // Text is shown as text: no item can inject markup.
  piece(one) {
    if (!one.label) return one.text;
    const dot = one.colour ? [made("span", { className: `dot ${one.colour}` }), " "] : [];
    return made("mark", { className: "painted" }, one.text, made("small", {}, ...dot, one.label));
  }

  surroundings(slot) {
    const turns = slot.content?.messages ?? [];
    this.parts.text.toggleAttribute("data-repeats", Boolean(turns.length) && !slot.marks);
    this.fill(this.parts.messages, turns, (turn) => madeTurn(turn, this.parts.messages));
    this.fill(this.parts.responses, slot.content?.responses ?? [], (one) => this.pair(one.id, one.text));
    this.fill(this.parts.meta, slot.meta ?? [], (one) => this.pair(one.name, one.value));
  }

  fill(place, things, draw) {
    place.hidden = !things.length;
    place.replaceChildren(...things.map(draw));
  }

  pair(name, value) {
    return made("div", {}, made("dt", { textContent: name }), made("dd", { textContent: value }));
  }

  progress(progress) {
    if (progress) this.parts.progress.textContent = this.data.texts.progress.replace("%s", progress.today).replace("%s", progress.goal);
  }

  saved(state, count) {
    this.parts.saved.textContent = this.data.texts[state].replace("%s", count);
    this.parts.saved.dataset.state = state;
  }

  notice(message) {
    this.parts.notice.textContent = message || "";
    this.parts.notice.hidden = !message;
  }
}
