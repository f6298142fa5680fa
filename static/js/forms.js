// Small help for forms.
//   <select data-auto-submit>        sends its form on change
//   <form data-once>                 cannot be sent twice by a double click
//   <form data-mark-changes>         fields that differ from the page as loaded get the class "changed"
//   <button data-copy="#token">      copies the text of that element and says so with data-copied="Copied"

document.addEventListener("change", (event) => {
  if (event.target.closest("[data-auto-submit]")) event.target.form.requestSubmit();
});

// What a quick hand chose before this script was there. Not where the browser put a choice back (reload, back):
// sending it would take a person away from the page that they went back to.
if (performance.getEntriesByType("navigation")[0]?.type === "navigate") {
  [...document.querySelectorAll("select[data-auto-submit]")].find(isChanged)?.form.requestSubmit();
}

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || !event.target.matches("[data-once]")) return;
  // after this task: a disabled button would not send its own value
  setTimeout(() => event.target.querySelectorAll("[type=submit], button:not([type])").forEach((b) => { b.disabled = true; }));
});

window.addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-once] button").forEach((b) => { b.disabled = false; });
});

function isChanged(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field instanceof HTMLSelectElement) {
    const options = [...field.options];
    const marked = options.filter((o) => o.defaultSelected);
    // of one choice a browser shows the last that is marked, else the first that can be chosen
    const given = field.multiple ? marked : [marked.at(-1) ?? options.find((o) => !o.disabled)];
    return options.some((o) => o.selected !== given.includes(o));
  }
  return field.value !== field.defaultValue;
}

document.addEventListener("input", (event) => {
  if (event.target.closest("[data-mark-changes]")) event.target.closest(".field")?.classList.toggle("changed", isChanged(event.target));
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  await navigator.clipboard?.writeText(source.value ?? source.textContent.trim());
  if (button.dataset.copied) button.textContent = button.dataset.copied;
});
