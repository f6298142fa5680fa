// What was answered and is not stored on the server yet. It lives in localStorage, so neither a dead line nor a closed
// tab loses an answer. Entries go out one by one, in order; each carries a key made here, so sending twice stores once.

import { Stored, newKey } from "./label_stored.js";

const RETRY_MS = [1000, 2000, 4000, 8000, 15000, 30000];

const FOR_GOOD = ["membership_ended", "project_archived"];
const PAINT_FIRST_MS = 20; // a frame: sending must not hold up the next item; the answer is safe in storage already

export class Outbox extends Stored {
  // options: storageKey, send(entry) -> Promise<Response>, onStored(entry, answer), onRefused(entry, error),
  // onState(state, count), and if wanted onStopped(error) when nothing can be sent any more
  constructor(options) {
    super(options.storageKey);
    Object.assign(this, options);
    this.sending = null;
    this.failures = 0;
    this.timer = 0;
    this.flushing = false;
    this.stopped = false;
    window.addEventListener("online", () => this.flush());
    window.addEventListener("focus", () => this.flush());
  }

  // A new entry of this kind with a key of its own; gives the key.
  post(kind, body, more = {}) {
    const key = newKey();
    this.add({ key, kind, body: { ...body, client_key: key }, ...more });
    return key;
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
    const now = this.stopped ? "stopped" : state;
    this.onState(count || now === "signed-out" ? now : "saved", count);
  }

  async flush() {
    if (this.flushing || this.stopped) return;
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
    if (FOR_GOOD.includes(answer.code)) return this.stop(answer);
    if (response.status === 401 || response.status === 403) return this.later("signed-out");
    this.failures = 0;
    this.write(this.entries().filter((one) => one.key !== entry.key));
    if (response.ok) this.onStored(entry, answer);
    else this.onRefused(entry, answer);
    this.show("waiting");
    return "done";
  }

  // The person may not answer here any more: nothing is sent again by itself, and nothing is thrown away.
  stop(error) {
    this.stopped = true;
    this.failures = 0;
    this.show("stopped");
    this.onStopped?.(error);
    return "later";
  }

  tryAgain() {
    this.stopped = false;
    return this.flush();
  }

  later(state) {
    this.failures += 1;
    this.show(state);
    return "later";
  }
}
