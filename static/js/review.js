// The reviewing page: plain form posts; only the label search needs a script.

import { LabelSearch } from "./label_search.js";

const reviewPage = document.querySelector("[data-review-page]");
if (reviewPage) new LabelSearch(reviewPage);
