// A part of a page that renews itself:
//   <div data-poll="/rounds/4/state" data-poll-ms="2000">…</div>
// The answer is HTML whose first element replaces this one. Polling ends when the new element has no data-poll, or has
// data-poll-done; a hidden page waits. Open <details> with an id stay open. data-poll-reload on the answer's element
// loads the whole page once (the thing watched has ended and the page around it should show the outcome).

const DEFAULT_MS = 2000;
const LONGEST_MS = 30000;

async function renew(element, failures) {
  if (!element.isConnected) return;
  if (document.hidden) return wait(element, failures);
  let answer;
  try {
    answer = await fetch(element.dataset.poll, { headers: { "X-Requested-With": "poll" } });
  } catch {
    return wait(element, failures + 1);
  }
  if (!answer.ok) return answer.status >= 500 ? wait(element, failures + 1) : undefined;
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = parsed.body.firstElementChild;
  if (!fresh || !element.isConnected) return;
  if ("pollReload" in fresh.dataset) return location.reload();
  for (const open of element.querySelectorAll("details[open][id]")) {
    fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
  }
  const focused = document.activeElement?.id;
  element.replaceWith(fresh);
  if (focused) document.getElementById(focused)?.focus();
  watch(fresh);
}

function wait(element, failures) {
  const step = Number(element.dataset.pollMs) || DEFAULT_MS;
  setTimeout(() => renew(element, failures), Math.min(step * 2 ** Math.min(failures, 5), Math.max(step, LONGEST_MS)));
}

function watch(element) {
  if (element.dataset.poll && !("pollDone" in element.dataset)) wait(element, 0);
}

document.querySelectorAll("[data-poll]").forEach(watch);
