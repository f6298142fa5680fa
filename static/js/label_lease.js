// The items this page holds: asks for more before they run out, and keeps the leases alive while somebody is there.

const HOLD = 3;
const AWAY_MS = 15 * 60 * 1000; // nobody here for so long: let the leases run out, others may have the items
const LOOK_AGAIN_MS = 15000;

export class Held {
  // options: data, slots, call(path, body) -> Promise<Response>, busy() -> Set of slots that must not be shown, clock, onChange()
  constructor(options) {
    Object.assign(this, options);
    this.queue = this.slots.filter((slot) => !this.busy().has(slot.slot));
    this.asking = false;
    setInterval(() => this.renew(), Math.max(5, this.data.lease_seconds / 3) * 1000);
    setInterval(() => { if (!this.queue.length && !document.hidden) this.refill(); }, LOOK_AGAIN_MS);
  }

  current() {
    return this.queue[0] ?? null;
  }

  ids() {
    return this.queue.map((slot) => slot.slot);
  }

  // Put new slots behind the ones held; those that are held, or answered and on their way, are known already.
  merge(slots) {
    const known = new Set([...this.ids(), ...this.busy()]);
    const fresh = (slots || []).filter((slot) => !known.has(slot.slot));
    const wasEmpty = this.queue.length === 0;
    this.queue.push(...fresh);
    if (wasEmpty && fresh.length) this.onChange();
  }

  putFirst(slot) {
    this.queue = [slot, ...this.queue.filter((one) => one.slot !== slot.slot)];
    this.onChange();
  }

  drop(ids) {
    const current = this.current();
    this.queue = this.queue.filter((slot) => !ids.includes(slot.slot));
    if (this.current() !== current) this.onChange();
  }

  // What is held may be answered or gone: ask anew. Without a connection it stays, and an answer to it is a correction.
  async startOver() {
    await this.ask((slots) => {
      this.queue = slots.filter((slot) => !this.busy().has(slot.slot));
      this.onChange();
    });
  }

  async refill() {
    if (this.queue.length < HOLD) await this.ask((slots) => this.merge(slots));
  }

  async ask(take) {
    if (this.asking) return;
    this.asking = true;
    try {
      const response = await this.call(`${this.data.urls.next}?count=${HOLD}`);
      if (response.ok) take((await response.json()).slots);
    } catch {
      /* offline: asked again when the next answer is stored, or by the timer */
    } finally {
      this.asking = false;
    }
  }

  async renew() {
    if (!this.queue.length || document.hidden || this.clock.idleMs() > AWAY_MS) return;
    try {
      const response = await this.call(this.data.urls.renew, { slots: this.ids() });
      if (!response.ok) return;
      const renewed = new Set((await response.json()).slots.map((one) => one.slot ?? one));
      // the item on the screen stays: a late answer is kept if nobody else has taken it
      this.queue = this.queue.filter((slot, index) => index === 0 || renewed.has(slot.slot));
    } catch {
      /* offline: the leases may run out, answers are kept if the items are still free */
    }
  }
}

// After an entry was refused: an answer that the schema does not take comes back with its item, so that nothing typed is
// lost; any other item must not be shown again as if it could be answered. Undo and flag have nothing to take back.
export function showAgain(held, entry, error) {
  if (error.code === "label_refused" && entry.shown?.slot) {
    held.putFirst({ ...entry.shown, previous: entry.body.value });
    return;
  }
  held.drop(["submit", "skip"].includes(entry.kind) ? [entry.body.slot] : []);
  held.refill();
}
