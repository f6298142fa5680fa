// Active time: how long an item was looked at, without the pauses. A pause is half a minute without any sign of life;
// a hidden page does not count at all.

const IDLE_MS = 30000;
const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "scroll"];

export class ActiveClock {
  constructor(now = () => performance.now()) {
    this.now = now;
    this.restart();
    for (const sign of SIGNS) document.addEventListener(sign, () => this.tick(), { passive: true, capture: true });
    document.addEventListener("visibilitychange", () => this.tick());
  }

  restart() {
    this.total = 0;
    this.last = this.now();
  }

  // A sign of life: the time since the last one counts, up to the idle limit.
  tick() {
    const now = this.now();
    if (!document.hidden) this.total += Math.min(now - this.last, IDLE_MS);
    this.last = now;
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
