// What comes to the page from outside: another window of the same person answers, the back button brings an old page back,
// the fields change while people label.

const TOLD = "gyre.label.told"; // a sentence for the page after it was loaded again

export class Outside {
  // options: data, outbox, held, drafts, view
  constructor(options) {
    Object.assign(this, options);
    window.addEventListener("storage", (event) => this.stored(event));
    window.addEventListener("pageshow", (event) => { if (event.persisted) this.held.startOver(); });
    try {
      this.view.notice(sessionStorage.getItem(TOLD) ?? "");
      sessionStorage.removeItem(TOLD);
    } catch {
      /* forbidden: then nothing is told */
    }
  }

  // Another window has the same outbox: what it has answered is not asked again here.
  stored(event) {
    if (event.key === this.outbox.storageKey) this.held.drop([...this.held.busy()]);
  }

  // `number` is the current version of the fields, as an answer of the server has it; nothing is on its way then.
  fields(number) {
    if (number && number !== this.data.schema) this.load(this.data.texts.changed);
  }

  // Whether an answer was refused because the fields have changed: it is kept for its item, and the page gets the new ones.
  changed(entry, error) {
    if (error.code !== "schema_changed") return false;
    this.drafts.set(entry.body.slot, entry.body.value);
    this.load(error.message);
    return true;
  }

  load(sentence) {
    try {
      sessionStorage.setItem(TOLD, sentence);
    } catch {
      /* see above */
    }
    window.location.reload();
  }
}
