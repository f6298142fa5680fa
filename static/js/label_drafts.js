// What was typed or marked and not sent yet, by slot, in this browser: a reload, a crash or a dead line loses none of it.

const KEPT = 20; // the newest; older ones belong to items that went elsewhere

export class Drafts {
  constructor(storageKey) {
    this.storageKey = storageKey;
  }

  all() {
    try {
      return JSON.parse(localStorage.getItem(this.storageKey)) || [];
    } catch {
      return [];
    }
  }

  get(slot) {
    return this.all().find((one) => one.slot === slot)?.value;
  }

  set(slot, value) {
    const others = this.all().filter((one) => one.slot !== slot);
    this.write([...others, { slot, value }].slice(-KEPT));
  }

  drop(slot) {
    this.write(this.all().filter((one) => one.slot !== slot));
  }

  write(drafts) {
    try {
      localStorage.setItem(this.storageKey, JSON.stringify(drafts));
    } catch {
      /* full or forbidden: then it lasts as long as the page */
    }
  }
}
