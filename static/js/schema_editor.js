// The editor of a schema: the preview follows what is typed, and buttons that add, move or remove change the form
// without loading the page anew. The server does the work: without scripts the same buttons send the form.

import { formPreview } from "./form_preview.js";

const LEAVES = ["save", "as-json", "as-form"]; // buttons that are sent as they are

class SchemaEditor {
  constructor(form) {
    this.form = form;
    this.native = false;
    form.addEventListener("submit", (event) => this.submit(event));
    form.addEventListener("change", (event) => this.changed(event.target));
    form.addEventListener("keydown", (event) => this.onKey(event));
  }

  submit(event) {
    const action = event.submitter?.value ?? "refresh";
    if (this.native || LEAVES.includes(action)) return;
    event.preventDefault();
    this.send(action, event.submitter);
  }

  changed(target) {
    if (target.matches("[data-refresh]")) this.send("refresh");
    if (target.name?.endsWith(".colour")) target.previousElementSibling.className = `dot ${target.value}`;
  }

  // Enter in the name of an option goes to the next one, and from the last one to a new one.
  onKey(event) {
    if (event.key !== "Enter" || event.isComposing || !event.target.matches("[data-row-name]")) return;
    event.preventDefault();
    const next = event.target.closest("li").nextElementSibling?.querySelector("[data-row-name]");
    if (next) next.focus();
    else event.target.closest("fieldset").querySelector("[data-adds]").click();
  }

  body(action) {
    const body = new URLSearchParams(new FormData(this.form));
    body.set("act", action);
    return body;
  }

  async send(action, button) {
    const headers = { "X-Requested-With": "editor" };
    const answer = await fetch(location.href, { method: "POST", body: this.body(action), headers }).catch(() => null);
    const page = answer && new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page?.getElementById("schema-fields");
    if (!fresh) { // no connection, or signed out: the browser's own way says so
      this.native = true;
      return this.form.requestSubmit(button);
    }
    const old = document.getElementById("schema-fields");
    for (const open of old.querySelectorAll("details[open][id]")) fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
    const focused = fresh.dataset.focus || document.activeElement?.id;
    old.replaceWith(fresh);
    if (focused) document.getElementById(focused)?.focus();
    formPreview.renew();
  }
}

const schemaForm = document.querySelector("[data-schema-editor]");
if (schemaForm) new SchemaEditor(schemaForm);
