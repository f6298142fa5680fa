// The reviewing page: plain form posts. Scripts paint the answer into the fields and send it whole; a key that is pressed
// again before anybody can have read the new item is turned away. Once the answer is changed it cannot be called right any
// more, so that Enter never throws a correction away.

import { Fields } from "./label_fields.js";

const UNREAD_MS = 250;
const TAKE_KEY = "-";
const reviewPage = document.querySelector("[data-review-page]");
const shownAt = performance.now();

// Whether two values say the same, in whatever order their keys come.
function isSame(a, b) {
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isSame(a[key], b[key]));
}

// One key takes the looks in turn: whichever was taken, it goes to the next one.
function passKeyOn(taken) {
  const all = [...reviewPage.querySelectorAll("[data-take]")];
  const next = all[(all.indexOf(taken) + 1) % all.length];
  for (const button of all) {
    button.toggleAttribute("data-key", button === next);
    if (button === next) button.dataset.key = TAKE_KEY;
    button.querySelector("kbd").hidden = button !== next;
    button.toggleAttribute("data-taken", button === taken);
  }
}

function review(form, data) {
  const right = form.querySelector("[name=action][value=right]");
  const correct = form.querySelector("[name=action][value=correct]");
  const fields = new Fields(reviewPage, data, { onChange: offer });
  let given = {};

  // what was corrected is no longer right as it was given: Enter shall not throw the correction away
  function offer() {
    const isChanged = !data.instant && !isSame(fields.partial(), given);
    if (right) right.disabled = isChanged;
    correct?.classList.toggle("primary", isChanged || !right);
  }

  fields.show(data.slot, data.given);
  given = fields.partial();
  offer();
  reviewPage.addEventListener("click", (event) => {
    const take = event.target.closest("[data-take]");
    if (!take) return;
    fields.show(data.slot, data.looks[Number(take.dataset.take)]);
    passKeyOn(take);
  });
  form.addEventListener("submit", (event) => {
    if (performance.now() - shownAt < UNREAD_MS) return event.preventDefault();
    if (!correct || event.submitter !== correct) return;
    const value = fields.value();
    if (value) form.elements.answer.value = JSON.stringify(value);
    else event.preventDefault();
  });
}

if (reviewPage) review(reviewPage.querySelector("form"), JSON.parse(document.getElementById("review-data").textContent));
