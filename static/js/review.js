// The reviewing page: plain form posts. Only the label search needs a script, and a key that is pressed again before
// anybody can have read the new item, which is turned away.

import { LabelSearch } from "./label_search.js";

const UNREAD_MS = 250;
const reviewPage = document.querySelector("[data-review-page]");
const shownAt = performance.now();

if (reviewPage) {
  new LabelSearch(reviewPage);
  reviewPage.addEventListener("submit", (event) => {
    if (performance.now() - shownAt < UNREAD_MS) event.preventDefault();
  });
}
