// The reviewing page: plain form posts. Scripts paint the answer into the fields and send it whole; a key that is pressed
// again before anybody can have read the new item is turned away.

import { Fields } from "./label_fields.js";

const UNREAD_MS = 250;
const reviewPage = document.querySelector("[data-review-page]");
const shownAt = performance.now();

function review(form, data) {
  const fields = new Fields(reviewPage, data);
  fields.show(data.slot, data.given);
  reviewPage.addEventListener("click", (event) => {
    const take = event.target.closest("[data-take]");
    if (take) fields.show(data.slot, data.looks[Number(take.dataset.take)]);
  });
  form.addEventListener("submit", (event) => {
    if (performance.now() - shownAt < UNREAD_MS) return event.preventDefault();
    if (event.submitter?.value !== "correct") return;
    const value = fields.value();
    if (value) form.elements.answer.value = JSON.stringify(value);
    else event.preventDefault();
  });
}

if (reviewPage) review(reviewPage.querySelector("form"), JSON.parse(document.getElementById("review-data").textContent));
