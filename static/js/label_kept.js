// Answers that cannot be sent any more stay in this browser, and are shown: nobody has to wonder what became of them.

import { made } from "./made.js";

export class Kept {
  constructor(root, data, outbox) {
    this.place = root.querySelector('[data-part="kept"]');
    this.names = Object.assign({}, ...data.fields.map((field) => Object.assign({}, ...Object.values(field.names ?? {}))));
    this.outbox = outbox;
    this.place.querySelector("button").addEventListener("click", () => {
      this.place.hidden = true;
      outbox.tryAgain();
    });
  }

  // `reason`: why, in a sentence.
  show(reason) {
    this.place.hidden = false;
    this.place.querySelector("[data-why]").textContent = reason;
    this.list();
  }

  list() {
    if (this.place.hidden) return;
    const answers = this.outbox.entries().filter((entry) => entry.kind === "submit");
    this.place.querySelector("ul").replaceChildren(...answers.map((entry) => made(
      "li", {},
      made("span", { textContent: entry.text ?? "" }),
      made("strong", { textContent: this.words(entry.body.value) }),
    )));
  }

  words(value) {
    return Object.values(value).flat().map((one) => (typeof one === "string" ? (this.names[one] ?? one) : JSON.stringify(one))).join(" · ");
  }
}
