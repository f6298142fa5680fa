// A preference between responses. Of two, a key chooses one or ties them; of more, they are pressed from best to worst and
// stand in a row that can be dragged. Then how much better, and why.

import { FIELD_TYPES } from "../label_fields.js";
import { RankingBar } from "./ranking_bar.js";
import { ResponseCards } from "./response_cards.js";

export class PreferenceField {
  constructor(element, field, fields) {
    const part = (name) => element.querySelector(`[data-${name}]`);
    Object.assign(this, { element, fields, texts: part("texts").dataset });
    this.cards = new ResponseCards(part("responses"), part("card"), this.texts.cardName);
    this.strengths = part("strengths");
    this.reasons = part("reasons");
    this.nothing = part("no-responses");
    this.bar = new RankingBar({
      element: part("ranking"),
      texts: this.texts,
      mayTie: field.options.ties ?? true,
      onPainted: () => this.paintPlaces(),
      onChange: (goOn) => this.ranked(goOn),
    });
    element.addEventListener("click", (event) => this.toggle(event.target.closest("[data-tool]")));
    element.addEventListener("change", (event) => {
      this.markStrengths();
      fields.changed(this, this.strengths?.contains(event.target));
    });
  }

  ranked(goOn) {
    if (!this.bar.ranking.isComplete()) this.fields.groups.activate(this.bar.choices);
    this.fields.changed(this, goOn);
  }

  // A switch of how the responses are shown; it stays for the items that follow.
  toggle(button) {
    if (!button) return;
    const { tool } = button.dataset;
    this.cards[tool] = !this.cards[tool];
    button.setAttribute("aria-pressed", this.cards[tool]);
    this.cards.fill();
  }

  show(slot, answer) {
    const responses = slot.content?.responses ?? [];
    this.cards.show(responses);
    this.nothing.hidden = responses.length > 0;
    for (const input of this.inputs(this.strengths)) input.checked = input.value === answer?.strength;
    for (const input of this.inputs(this.reasons)) input.checked = Boolean(answer?.reasons?.includes(input.value));
    this.bar.show(responses.map((one) => one.id), answer?.ranking);
    this.markStrengths();
  }

  inputs(group) {
    return [...(group?.querySelectorAll("input") ?? [])];
  }

  strength() {
    return this.bar.ranking.isAllTied() ? undefined : this.inputs(this.strengths).find((input) => input.checked)?.value;
  }

  markStrengths() {
    this.strengths?.toggleAttribute("data-done", Boolean(this.strength()));
  }

  paintPlaces() {
    const { ranking } = this.bar;
    for (const id of ranking.ids) {
      const place = ranking.placeOf(id);
      this.cards.mark(id, place ? `${ranking.isTied(id) ? "= " : ""}${place}` : "", ranking.isBest(id));
    }
    if (this.strengths) this.strengths.hidden = ranking.isAllTied();
  }

  answer() {
    const { groups } = this.bar.ranking;
    const strength = this.strength();
    const reasons = this.inputs(this.reasons).filter((input) => input.checked).map((input) => input.value);
    if (!groups.length && !strength && !reasons.length) return null;
    return { ranking: groups, ...(strength && { strength }), ...(this.reasons && { reasons }) };
  }

  isComplete() {
    return !this.missing();
  }

  missing() {
    const { ranking } = this.bar;
    if (!ranking.isComplete()) return ranking.ids.length === 2 ? this.texts.missingChoice : this.texts.missingPlaces;
    return this.strengths && !ranking.isAllTied() && !this.strength() ? this.texts.missingStrength : "";
  }
}

FIELD_TYPES.preference = PreferenceField;
