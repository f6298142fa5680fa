// The labelling page. A key press swaps in the next item, which is here already, and the answer is sent behind it.

import { call } from "./label_api.js";
import { Outbox, newKey } from "./label_outbox.js";
import { ActiveClock } from "./label_clock.js";
import { Drafts } from "./label_drafts.js";
import { Fields } from "./label_fields.js";
import { askReason } from "./label_reason.js";
import { Undo } from "./label_undo.js";
import { ItemView } from "./label_view.js";
import { Held, showAgain } from "./label_lease.js";

const root = document.querySelector("[data-label-page]");
const data = JSON.parse(document.getElementById("label-data").textContent);
const form = root.querySelector("form");
const clock = new ActiveClock();
const view = new ItemView(root, data);
const drafts = new Drafts(`gyre.drafts.${data.project}.${data.user}`);
const fields = new Fields(root, data, { onChange: keep });

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
  busy: () => new Set(outbox.entries().filter((entry) => ["submit", "skip"].includes(entry.kind)).map((entry) => entry.body.slot)),
  onChange: paint,
});

const undo = new Undo({ outbox, held, clock, onGone: () => view.notice(data.texts.skipped) });

function paint() {
  drafts.flush(); // of the item that was on the screen
  const slot = held.current();
  view.paint(slot);
  if (!slot) return;
  // what was begun here goes before what was taken back, and that before a suggestion; a schema of one key shows no choice as made
  const begun = data.instant ? slot.previous : (drafts.get(slot.slot) ?? slot.previous ?? slot.drafts);
  fields.show(slot, begun);
}

function keep() {
  const slot = held.current();
  if (slot && !data.instant) drafts.keep(slot.slot, () => fields.partial());
}

function stored(entry, answer) {
  view.progress(answer.progress);
  held.merge(answer.next);
  if (entry.kind === "undo" && answer.slot && held.current()?.slot !== answer.slot.slot && !entry.shown) {
    undo.forget();
    held.putFirst(answer.slot);
  }
  if (!outbox.entries().length) held.refill();
}

function refused(entry, error) {
  view.notice(error.message);
  showAgain(held, entry, error);
}

function leave(kind, body, value) {
  const slot = held.current();
  if (!slot) return;
  const key = newKey();
  held.queue.shift();
  paint();
  undo.note({ key, kind, slot, value });
  outbox.add({ key, kind, body: { slot: slot.slot, client_key: key, ...body }, shown: data.instant ? true : slot });
  drafts.drop(slot.slot); // last: at no moment is the answer kept nowhere
  view.notice("");
  if (!held.current()) held.refill();
}

function send(value) {
  const slot = held.current();
  leave("submit", { value, prelabel: slot?.prelabel?.uuid ?? null, active_ms: clock.take() }, value);
}

const actions = {
  accept: () => held.current().prelabel && send(held.current().prelabel.value),
  submit: () => { const value = fields.value(); if (value) send(value); },
  skip: () => skipDialog.showModal(),
  flag: () => flagDialog.showModal(),
};

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = event.submitter;
  if (!button) return;
  const isLabel = data.instant && button.name === data.fields[0].name;
  const isAnswer = isLabel || button.value === "accept" || button.value === "submit";
  if (isAnswer && !view.accepts(button.value, performance.now())) return;
  if (isLabel) send({ [button.name]: button.value });
  else if (button.value === "undo") undo.last();
  else if (held.current()) actions[button.value]?.();
});

const skipDialog = askReason(document.getElementById("skip"), (reason) => {
  clock.take();
  leave("skip", { reason });
});

const flagDialog = askReason(document.getElementById("flag"), (text) => {
  const key = newKey();
  outbox.add({ key, kind: "flag", body: { slot: held.current().slot, text, client_key: key } });
  view.notice(data.texts.flagged);
});

paint();
root.dataset.ready = "";
outbox.show("waiting");
outbox.flush(); // what an earlier visit could not send
