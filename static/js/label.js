// The labelling page. A key press swaps in the next item, which is here already, and the answer is sent behind it.

import { call } from "./label_api.js";
import { Outbox } from "./label_outbox.js";
import { ActiveClock } from "./label_clock.js";
import { BreakReminder } from "./label_break.js";
import { Drafts } from "./label_drafts.js";
import { Fields } from "./label_fields.js";
import { askReason } from "./label_reason.js";
import { Undo } from "./label_undo.js";
import { ItemView } from "./label_view.js";
import { Held, showAgain } from "./label_lease.js";
import { Kept } from "./label_kept.js";
import { Outside } from "./label_outside.js";

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
  onStopped: (error) => kept.show(error.message),
  onState: (state, count) => { view.saved(state, count); kept.list(); },
});

const held = new Held({
  data, call, clock,
  slots: data.slots,
  busy: () => new Set(outbox.entries().filter((entry) => ["submit", "skip"].includes(entry.kind)).map((entry) => entry.body.slot)),
  onChange: paint,
});

const kept = new Kept(root, data, outbox);
const outside = new Outside({ data, outbox, held, drafts, view });
const undo = new Undo({ outbox, held, clock, onGone: () => view.notice(data.texts.skipped) });

function paint() {
  drafts.flush(); // of the item that was on the screen
  const slot = held.current();
  view.paint(slot);
  if (!slot) return;
  // what was begun here goes before what was taken back, and that before a suggestion; a schema of one key shows no choice as made
  const begun = drafts.get(slot.slot) ?? slot.previous ?? (data.instant ? undefined : slot.drafts);
  fields.show(slot, begun);
}

function keep() {
  const slot = held.current();
  if (slot && !data.instant) drafts.keep(slot.slot, () => fields.partial());
}

function stored(entry, answer) {
  view.progress(answer.progress);
  held.merge(answer.next);
  undo.stored(entry, answer);
  if (outbox.entries().length) return;
  held.refill();
  outside.fields(answer.schema);
}

function refused(entry, error) {
  view.notice(error.message);
  if (!outside.changed(entry, error)) showAgain(held, entry, error);
}

function leave(kind, body, value) {
  const slot = held.current();
  if (!slot) return;
  held.queue.shift();
  paint();
  const key = outbox.post(kind, { slot: slot.slot, ...body }, { shown: data.instant ? true : slot, text: slot.text.slice(0, 200) });
  undo.note({ key, kind, slot, value });
  drafts.drop(slot.slot); // last: at no moment is the answer kept nowhere
  view.notice("");
  if (!held.current()) held.refill();
}

function send(value) {
  leave("submit", { value, prelabel: held.current()?.prelabel?.uuid ?? null, active_ms: clock.take(), schema: data.schema }, value);
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

const skipDialog = askReason(document.getElementById("skip"), (reason) => { clock.take(); leave("skip", { reason }); });

const flagDialog = askReason(document.getElementById("flag"), (text) => {
  outbox.post("flag", { slot: held.current().slot, text });
  view.notice(data.texts.flagged);
});

paint();
root.dataset.ready = "";
new BreakReminder(clock, data.break_minutes, document.getElementById("break"));
outbox.show("waiting");
outbox.flush(); // what an earlier visit could not send
