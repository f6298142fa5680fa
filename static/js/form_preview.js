// What a form would come to, shown beside it as it is filled in. The form says who draws it: <form data-preview-url="…">;
// the answer's [data-form-preview] takes the place of the page's. Fields of a schema in it work as on the labelling page.

import { Fields } from "./label_fields.js";

const TYPED_MS = 250;

class FormPreview {
  constructor(form) {
    this.form = form;
    this.wire();
    form.addEventListener("input", () => this.later());
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.renew(), TYPED_MS);
  }

  async renew() {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = new AbortController();
    const body = new URLSearchParams(new FormData(this.form));
    try {
      const answer = await fetch(this.form.dataset.previewUrl, { method: "POST", body, signal: this.running.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-form-preview]");
      if (!answer.ok || !fresh) return;
      document.querySelector("[data-form-preview]").replaceWith(fresh);
      this.wire();
    } catch {
      // typed on meanwhile, or no connection: the last preview stays
    }
  }

  wire() {
    const root = document.querySelector("[data-preview-page]");
    if (!root) return;
    const data = JSON.parse(document.getElementById("preview-data").textContent);
    new Fields(root, data).show(data.slot, data.slot.drafts);
  }
}

const previewedForm = document.querySelector("[data-preview-url]");
export const formPreview = previewedForm && new FormPreview(previewedForm);
