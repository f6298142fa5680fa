// The labelling page. A key press swaps in the next item, which is here already, and the answer is sent behind it.

import { call } from "./label_api.js";
import { Outbox, newKey } from "./label_outbox.js";
import { ActiveClock } from "./label_clock.js";
import { LabelSearch } from "./label_search.js";
import { ItemView } from "./label_view.js";
import { Held } from "./label_lease.js";

const root = document.querySelector("[data-label-page]");
const data = JSON.parse(document.getElementById("label-data").textContent);
const form = root.querySelector("form");
const skipDialog = document.getElementById("skip");
const clock = new ActiveClock();
const search = new LabelSearch(root);
const view = new ItemView(root, data);
const history = []; // what was done in this page, the latest last

const outbox = new Outbox({
  storageKey: `gyre.outbox.${data.project}.${data.user}`,
  send: (entry) => call(data.urls[entry.kind], entry.kind === "submit" ? { ...entry.body, exclude: held.ids(), count: 3 } : entry.body),
  onStored: stored,
  onRefused: refused,
  onState: (state, count) => view.saved(state, count),
});

const held = new Held({
  data, call, clock,
  slots: data.slots,
  busy: () => new Set(outbox.entries().filter((entry) => entry.kind !== "undo").map((entry) => entry.body.slot)),
  onChange: () => view.paint(held.current()),
});

function stored(entry, answer) {
  view.progress(answer.progress);
  held.merge(answer.next);
  if (entry.kind === "undo" && answer.slot && held.current()?.slot !== answer.slot.slot && !entry.shown) {
    history.length = 0;
    held.putFirst(answer.slot);
  }
  if (!outbox.entries().length) held.refill();
}

function refused(entry, error) {
  view.notice(error.message);
  // what was refused must not be shown again as if it could be answered; undo has nothing to take back
  held.drop(entry.kind === "undo" ? [] : [entry.body.slot]);
  held.refill();
}

function leave(kind, body, label) {
  const slot = held.current();
  if (!slot) return;
  const key = newKey();
  held.queue.shift();
  view.paint(held.current());
  history.push({ key, kind, slot, label });
  outbox.add({ key, kind, body: { slot: slot.slot, client_key: key, ...body } });
  search.clear();
  view.notice("");
  if (!held.current()) held.refill();
}

function choose(label) {
  const slot = held.current();
  const body = { value: { [data.field]: label }, prelabel: slot?.prelabel?.uuid ?? null, active_ms: clock.take() };
  leave("submit", body, label);
}

function undo() {
  const last = history.pop();
  if (last?.kind === "skip" && !outbox.remove(last.key)) return view.notice(data.texts.skipped);
  if (last?.kind === "submit" && !outbox.remove(last.key)) {
    outbox.add({ key: newKey(), kind: "undo", body: { slot: last.slot.slot }, shown: true });
  }
  clock.restart();
  if (last) return held.putFirst({ ...last.slot, previous: last.label ?? last.slot.previous });
  return outbox.add({ key: newKey(), kind: "undo", body: {} });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = event.submitter;
  if (!button) return;
  const isAnswer = button.name === "label" || button.value === "accept";
  if (isAnswer && !view.accepts(button.value, performance.now())) return;
  if (button.name === "label") choose(button.value);
  else if (button.value === "accept" && held.current()?.prelabel) choose(held.current().prelabel.label);
  else if (button.value === "undo") undo();
  else if (button.value === "skip" && held.current()) skipDialog.showModal();
});

function skip(reason) {
  if (!reason) return;
  skipDialog.close();
  skipDialog.querySelector("form").reset();
  clock.take();
  leave("skip", { reason });
}

skipDialog.addEventListener("click", (event) => skip(event.target.closest("[data-reason]")?.dataset.reason));
skipDialog.addEventListener("submit", (event) => {
  event.preventDefault();
  skip(skipDialog.querySelector("[name=reason_text]").value.trim());
});

view.paint(held.current());
root.dataset.ready = "";
outbox.show("waiting");
outbox.flush(); // what an earlier visit could not send
