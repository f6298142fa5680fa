// Reminds people to take a break after so much time at work, in a quiet moment: never while they type, press or choose.

const LOOK_MS = 10000;
const QUIET_MS = 1500; // no sign of life for so long

export class BreakReminder {
  // `minutes`: 0 never reminds
  constructor(clock, minutes, dialog) {
    Object.assign(this, { clock, minutes, dialog });
    if (minutes) setInterval(() => this.look(), LOOK_MS);
  }

  look() {
    const isDue = this.clock.atWork >= this.minutes * 60000;
    if (!isDue || this.clock.idleMs() < QUIET_MS || document.hidden || document.querySelector("dialog[open]")) return;
    this.clock.atWork = 0;
    this.dialog.showModal();
  }
}
