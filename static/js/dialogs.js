// Dialogs, menus and questions before something that is hard to take back.
//   <button data-opens="help">  opens <dialog id="help">; <button data-closes> inside closes it (Esc does as well);
//   a link may open one too; <div data-load="/some/part"> inside is filled from that address the first time
//   <form data-confirm="Cancel the round? What it has done so far is kept.">  asks first, in a dialog
//   <details class="menu">  closes on Esc, on a click elsewhere, and when another one opens

let confirmed = null;

function ask(form, submitter) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("[data-confirm-text]").textContent = form.dataset.confirm;
  const yes = dialog.querySelector("[data-confirm-yes]");
  yes.textContent = submitter?.textContent.trim() || yes.dataset.confirmYes;
  yes.onclick = () => {
    dialog.close();
    confirmed = form;
    form.requestSubmit(submitter);
  };
  dialog.showModal();
}

async function open(event, dialog) {
  event.preventDefault();
  dialog.showModal();
  const place = dialog.querySelector("[data-load]");
  if (!place) return;
  try {
    const answer = await fetch(place.dataset.load, { headers: { "X-Requested-With": "part" } });
    if (!answer.ok) return;
    place.innerHTML = await answer.text();
    delete place.dataset.load;
  } catch {
    /* offline: what stands in the place says so; the next opening tries again */
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset?.confirm) return;
  if (confirmed === form) {
    confirmed = null;
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  ask(form, event.submitter);
}, true);

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) open(event, document.getElementById(opener.dataset.opens));
  if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
