// The buttons that rank responses, and of three or more the row of places.

import { made } from "../made.js";
import { Ranking } from "./ranking.js";
import { RankingDrag } from "./ranking_drag.js";
import { letterOf } from "./response_cards.js";

const POSITION_KEYS = "1234567890";

export class RankingBar {
  // options: element (holds [data-choices], [data-places], [data-act]), texts, mayTie, onChange(goOn), onPainted()
  constructor(options) {
    Object.assign(this, options);
    this.choices = this.element.querySelector("[data-choices]");
    this.list = this.element.querySelector("[data-places]");
    this.ranking = new Ranking([]);
    this.element.addEventListener("click", (event) => {
      const { rank, act } = event.target.closest("[data-rank], [data-act]")?.dataset ?? {};
      if (rank) this.change(() => this.ranking.press(rank));
      else if (act) this.change(() => this.ranking[act]());
    });
    new RankingDrag({
      list: this.list,
      mayTie: this.mayTie,
      onDrop: (id, index, isTie) => this.change(() => this.ranking.move(id, index, isTie)),
      onShift: (id, by) => this.change(() => this.ranking.shift(id, by)),
    });
  }

  // Of two each choice is whole and the keys go on; of more once the last place is taken.
  change(change) {
    const before = this.ranking.ids.length > 2 && this.ranking.isComplete();
    change();
    this.paint();
    this.onChange(this.ranking.isComplete() && !before);
  }

  show(ids, groups) {
    this.ranking = new Ranking(ids, groups);
    const isPair = ids.length === 2;
    const buttons = ids.map((id, at) => this.button(POSITION_KEYS[at], isPair ? this.texts.better.replace("%s", letterOf(at)) : letterOf(at), { rank: id }));
    const tie = () => this.button(isPair ? "3 =" : "=", isPair ? this.texts.equal : this.texts.tie, { act: "tie" });
    if (this.mayTie && ids.length) buttons.splice(isPair ? 1 : ids.length, 0, tie());
    this.choices.dataset.count = ids.length;
    this.choices.replaceChildren(...buttons);
    this.paint();
  }

  button(key, text, data) {
    const button = made("button", { type: "button", className: "label-button" }, made("kbd", { textContent: key[0] }), made("span", { textContent: text }));
    Object.assign(button.dataset, { key, ...data });
    return button;
  }

  paint() {
    const { ranking } = this;
    const isPair = ranking.ids.length === 2;
    for (const id of ranking.ids) {
      const isPressed = isPair ? ranking.isBest(id) : ranking.placeOf(id) > 0;
      this.choices.querySelector(`[data-rank="${CSS.escape(id)}"]`).setAttribute("aria-pressed", isPressed);
    }
    this.choices.querySelector("[data-act=tie]")?.setAttribute("aria-pressed", isPair ? ranking.isAllTied() : ranking.tiesNext);
    this.choices.toggleAttribute("data-done", ranking.isComplete());
    this.element.querySelector("[data-act=back]").disabled = !ranking.groups.length;
    this.list.hidden = isPair || !ranking.groups.length;
    this.list.replaceChildren(...(isPair ? [] : ranking.groups.map((group) => made("li", {}, ...group.map((id) => this.chip(id))))));
    this.onPainted();
  }

  chip(id) {
    const letter = letterOf(this.ranking.ids.indexOf(id));
    const name = this.texts.chip.replace("%s", letter).replace("%s", this.ranking.placeOf(id));
    const chip = made("button", { type: "button", className: "chip", textContent: letter, ariaLabel: name });
    chip.dataset.chip = id;
    return chip;
  }
}
