// What was answered and is not stored on the server yet. It lives in localStorage, so neither a dead line nor a closed
// tab loses an answer. Entries go out one by one, in order; each carries a key made here, so sending twice stores once.

const RETRY_MS = [1000, 2000, 4000, 8000, 15000, 30000];

const PAINT_FIRST_MS = 20; // a frame: sending must not hold up the next item; the answer is safe in storage already

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is missing on plain http
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  // options: storageKey, send(entry) -> Promise<Response>, onStored(entry, answer), onRefused(entry, error), onState(state, count)
  constructor(options) {
    Object.assign(this, options);
    this.sending = null;
    this.failures = 0;
    this.timer = 0;
    this.flushing = false;
    window.addEventListener("online", () => this.flush());
    window.addEventListener("focus", () => this.flush());
  }

  entries() {
    try {
      return JSON.parse(localStorage.getItem(this.storageKey)) || [];
    } catch {
      return this.fallback || [];
    }
  }

  write(entries) {
    this.fallback = entries; // storage may be full or forbidden: then it lasts as long as the page
    try {
      localStorage.setItem(this.storageKey, JSON.stringify(entries));
    } catch {
      /* kept in this.fallback */
    }
  }

  add(entry) {
    this.write([...this.entries(), entry]);
    this.show("waiting");
    setTimeout(() => this.flush(), PAINT_FIRST_MS);
  }

  // Take an entry back; false when it is gone or under way and the server has to be asked.
  remove(key) {
    const entries = this.entries();
    if (this.sending === key || !entries.some((entry) => entry.key === key)) return false;
    this.write(entries.filter((entry) => entry.key !== key));
    this.show(this.failures ? "offline" : "waiting");
    return true;
  }

  show(state) {
    const count = this.entries().length;
    this.onState(count || state === "signed-out" ? state : "saved", count);
  }

  async flush() {
    if (this.flushing) return;
    this.flushing = true;
    clearTimeout(this.timer);
    const work = () => this.sendAll();
    try {
      // a second tab has the same outbox: one of them sends at a time
      await (navigator.locks ? navigator.locks.request(this.storageKey, work) : work());
    } finally {
      this.flushing = false;
      this.sending = null;
    }
    if (this.failures) this.timer = setTimeout(() => this.flush(), RETRY_MS[Math.min(this.failures - 1, RETRY_MS.length - 1)]);
  }

  async sendAll() {
    for (let entry = this.entries()[0]; entry; entry = this.entries()[0]) {
      this.sending = entry.key;
      const outcome = await this.attempt(entry);
      this.sending = null;
      if (outcome === "later") return;
    }
    this.show("saved");
  }

  async attempt(entry) {
    let response;
    let answer = {};
    try {
      response = await this.send(entry);
      answer = await response.json();
    } catch {
      if (!response) return this.later("offline");
    }
    if (response.status >= 500 || response.status === 429) return this.later("offline");
    if (response.status === 401 || response.status === 403) return this.later("signed-out");
    this.failures = 0;
    this.write(this.entries().filter((one) => one.key !== entry.key));
    if (response.ok) this.onStored(entry, answer);
    else this.onRefused(entry, answer);
    this.show("waiting");
    return "done";
  }

  later(state) {
    this.failures += 1;
    this.show(state);
    return "later";
  }
}
