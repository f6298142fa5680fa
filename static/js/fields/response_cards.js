// The responses of an item as cards, named A, B, C by their place on the screen: formatted, as written, or with what differs
// between them marked.

import { differences } from "../differences.js";
import { made } from "../made.js";
import { markdown } from "../markdown.js";

export const letterOf = (at) => String.fromCharCode(65 + at);

export class ResponseCards {
  // `list`: the <ol>; `template`: one card
  constructor(list, template, name) {
    Object.assign(this, { list, template, name });
    this.isRaw = false;
    this.differs = false;
    this.responses = [];
  }

  show(responses) {
    this.responses = responses;
    this.list.dataset.count = responses.length;
    this.list.replaceChildren(...responses.map((response, at) => {
      const card = this.template.content.firstElementChild.cloneNode(true);
      card.dataset.response = response.id;
      card.querySelector("[data-letter]").textContent = letterOf(at);
      card.querySelector("[data-body]").setAttribute("aria-label", this.name.replace("%s", letterOf(at)));
      return card;
    }));
    this.fill();
  }

  fill() {
    const [base, ...others] = this.responses;
    this.responses.forEach((response, at) => {
      const body = this.list.children[at].querySelector("[data-body]");
      const isCompared = this.differs && (at > 0 || others.length === 1);
      body.replaceChildren(...(isCompared ? this.marked(at, at ? base : others[0]) : this.plain(response.text)));
    });
  }

  plain(text) {
    return this.isRaw || this.differs ? [made("div", { className: "as-written", textContent: text })] : markdown(text);
  }

  // One's own text with the parts marked that the other does not have.
  marked(at, other) {
    const parts = differences(other.text, this.responses[at].text).filter((part) => part.kind !== "gone");
    return [made("div", { className: "as-written" }, ...parts.map((part) => (part.kind === "same" ? part.text : made("mark", { textContent: part.text }))))];
  }

  // place: 0 for none yet; `isBest` frames the card
  mark(id, place, isBest) {
    const card = [...this.list.children].find((one) => one.dataset.response === id);
    card.toggleAttribute("data-best", isBest);
    card.querySelector("[data-place]").textContent = place;
  }
}
