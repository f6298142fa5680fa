// The quick pass over suggestions. A key swaps in the next one, which is here already; the verdict is sent behind it.

import { call } from "./label_api.js";
import { newKey } from "./label_stored.js";
import { Outbox } from "./label_outbox.js";
import { ActiveClock } from "./label_clock.js";
import { CheckView } from "./check_view.js";
import { Held } from "./label_lease.js";

const root = document.querySelector("[data-check-page]");
const data = JSON.parse(document.getElementById("check-data").textContent);
const clock = new ActiveClock();
const view = new CheckView(root, data);
const done = []; // verdicts of this page, the latest last

const outbox = new Outbox({
  storageKey: `gyre.checks.${data.project}.${data.user}`,
  send: (entry) => call(data.urls[entry.kind], entry.kind === "undo" ? entry.body : { ...entry.body, exclude: held.ids(), count: 3 }),
  onStored: stored,
  onRefused: refused,
  onState: (state, count) => view.saved(state, count),
});

const held = new Held({
  data, call, clock,
  slots: data.slots,
  busy: () => new Set(outbox.entries().filter((entry) => entry.kind !== "undo").map((entry) => entry.body.slot)),
  onChange: paint,
});

function paint() {
  view.paint(held.current());
}

function stored(entry, answer) {
  view.progress(answer.progress);
  held.merge(answer.next);
  if (entry.kind === "undo" && answer.slot && held.current()?.slot !== answer.slot.slot) held.putFirst(answer.slot);
  if (!outbox.entries().length) held.refill();
}

function refused(entry, error) {
  view.notice(error.message);
  held.drop([entry.body.slot]);
  held.refill();
}

function say(kind) {
  const slot = held.current();
  if (!slot) return;
  const key = newKey();
  held.queue.shift();
  paint();
  done.push({ key, slot });
  outbox.add({ key, kind, body: { slot: slot.slot, prelabel: slot.prelabel.uuid, client_key: key, active_ms: clock.take() } });
  view.notice("");
  if (!held.current()) held.refill();
}

// First what was said in this page, the latest first; what was said before that, the server knows.
function undo() {
  const step = done.pop();
  if (!step || !outbox.remove(step.key)) {
    outbox.add({ key: newKey(), kind: "undo", body: step ? { slot: step.slot.slot } : {} });
  }
  clock.restart();
  if (step) held.putFirst(step.slot);
}

root.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const action = event.submitter?.value;
  if (action === "undo") undo();
  else if (["accept", "reject"].includes(action) && view.accepts(action, performance.now())) say(action);
});

paint();
root.dataset.ready = "";
outbox.show("waiting");
outbox.flush(); // what an earlier visit could not send
