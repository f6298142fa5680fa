// Active time: how long an item was looked at, without the pauses. A pause is half a minute without any sign of life, of
// which that half minute counts: somebody was reading. A hidden page does not count at all.

const IDLE_MS = 30000;
const BREAK_MS = 5 * 60 * 1000; // away for so long: that was a break
const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "scroll"];

export class ActiveClock {
  constructor(now = () => performance.now()) {
    this.now = now;
    this.atWork = 0; // active time since the last break
    this.isHidden = document.hidden;
    this.restart();
    for (const sign of SIGNS) document.addEventListener(sign, () => this.tick(), { passive: true, capture: true });
    document.addEventListener("visibilitychange", () => this.tick());
  }

  restart() {
    this.total = 0;
    this.last = this.now();
  }

  // A sign of life: the time since the last one counts, up to the idle limit, unless the page was hidden since then.
  tick() {
    const now = this.now();
    const passed = this.isHidden ? 0 : Math.min(now - this.last, IDLE_MS);
    this.atWork = now - this.last >= BREAK_MS ? 0 : this.atWork + passed;
    this.total += passed;
    this.last = now;
    this.isHidden = document.hidden;
  }

  idleMs() {
    return this.now() - this.last;
  }

  // The active milliseconds of the item that is being left; the next one starts at zero.
  take() {
    this.tick();
    const total = Math.round(this.total);
    this.restart();
    return total;
  }
}
