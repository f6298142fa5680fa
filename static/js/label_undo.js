// Taking back: first what was done in this page, the latest first; what was done before that, the server knows.

import { newKey } from "./label_stored.js";

export class Undo {
  // options: outbox, held, clock, onGone() when a skipped item is with others already
  constructor(options) {
    Object.assign(this, options);
    this.done = [];
  }

  // `step`: { key, kind: "submit" or "skip", slot, value }
  note(step) {
    this.done.push(step);
  }

  // An answer of the server to an undo of which this page did not know the item: that one comes back.
  stored(entry, answer) {
    if (entry.kind !== "undo" || entry.shown || !answer.slot || this.held.current()?.slot === answer.slot.slot) return;
    this.done.length = 0;
    this.held.putFirst(answer.slot);
  }

  last() {
    const step = this.done.pop();
    if (step?.kind === "skip" && !this.outbox.remove(step.key)) return this.onGone();
    if (step?.kind === "submit" && !this.outbox.remove(step.key)) {
      this.outbox.add({ key: newKey(), kind: "undo", body: { slot: step.slot.slot }, shown: true });
    }
    this.clock.restart();
    if (step) return this.held.putFirst({ ...step.slot, previous: step.value ?? step.slot.previous });
    return this.outbox.add({ key: newKey(), kind: "undo", body: {} });
  }
}
