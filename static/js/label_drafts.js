// What was typed or marked and not sent yet, in this browser: a reload, a crash or a dead line loses none of it. Each draft
// has a key of its own, by slot and window: two windows with the same item never write over each other.

const KEPT = 40; // the newest; older ones belong to items that went elsewhere
const WRITE_MS = 200; // while somebody types without a pause it is written this often
const WINDOW = "gyre.window";

// This window's name outlives a reload. A duplicated tab begins with a copy of it, taken while the first one lived: it
// gets a name of its own.
function windowName() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(WINDOW));
    const name = kept?.isLeft ? kept.name : Math.random().toString(36).slice(2);
    const write = (isLeft) => sessionStorage.setItem(WINDOW, JSON.stringify({ name, isLeft }));
    write(false);
    window.addEventListener("pagehide", () => write(true));
    window.addEventListener("pageshow", () => write(false));
    return name;
  } catch {
    return "only";
  }
}

export class Drafts {
  constructor(prefix) {
    this.prefix = prefix;
    this.window = windowName();
    this.since = Date.now();
    this.memory = {}; // where storage is full or forbidden: then a draft lasts as long as the page
    this.origins = {}; // slot -> key of the draft that was taken over from another window
    this.sent = new Set();
    for (const sign of ["pagehide", "blur"]) window.addEventListener(sign, () => this.flush());
    document.addEventListener("visibilitychange", () => this.flush());
  }

  key(slot) {
    return `${this.prefix}.${slot}.${this.window}`;
  }

  // [key, { value, at }] of all drafts that begin so, the newest first.
  stored(start) {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(start));
      return keys.map((key) => [key, JSON.parse(localStorage.getItem(key))]).sort((a, b) => b[1].at - a[1].at);
    } catch {
      return [];
    }
  }

  // One's own draft of a slot, else the newest that a window left behind before this page was opened.
  get(slot) {
    const drafts = this.stored(`${this.prefix}.${slot}.`);
    const own = drafts.find(([key]) => key === this.key(slot));
    const found = own ?? (this.sent.has(slot) ? undefined : drafts.find(([, draft]) => draft.at < this.since));
    if (found && !own) this.origins[slot] = found[0];
    return found ? found[1].value : this.memory[slot];
  }

  // Keep what `read()` gives, soon; `flush` does it now.
  keep(slot, read) {
    this.waiting = { slot, read };
    this.timer ??= setTimeout(() => this.flush(), WRITE_MS);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { waiting } = this;
    this.waiting = null;
    if (waiting) this.set(waiting.slot, waiting.read());
  }

  set(slot, value) {
    try {
      localStorage.setItem(this.key(slot), JSON.stringify({ value, at: Date.now() }));
      delete this.memory[slot];
      for (const [key] of this.stored(`${this.prefix}.`).slice(KEPT)) localStorage.removeItem(key);
    } catch {
      this.memory[slot] = value;
    }
  }

  // The answer is on its way: its draft is not needed any more, nor the one that it was taken over from.
  drop(slot) {
    if (this.waiting?.slot === slot) this.waiting = null;
    this.sent.add(slot);
    delete this.memory[slot];
    try {
      for (const key of [this.key(slot), this.origins[slot]]) if (key) localStorage.removeItem(key);
    } catch {
      /* forbidden: there is none */
    }
  }
}
