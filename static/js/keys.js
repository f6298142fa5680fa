// A key presses a button: <button data-key="s"><kbd>S</kbd> Skip</button>. Enter is data-key="Enter"; a button may have
// several keys: data-key="3 =".
//
// Nothing fires inside a text field, with Ctrl, Alt or Meta, while an input method composes, or while a key is held
// down. In an open dialog only the dialog's own buttons listen. A button that is hidden or disabled, or in a group whose
// keys are off (data-keys-off: another group has them), is never pressed. A radio button or checkbox is no text field.
// Buttons inserted later work too: they are looked up at the press.

const FIELDS = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select, [contenteditable]";
const NATIVE = "a[href], button, summary, input, [role=button]";

export function isTyping(target) {
  return target instanceof Element && target.closest(FIELDS) !== null;
}

export function findKeyButton(key, root) {
  const name = key.length === 1 ? key.toLowerCase() : key;
  for (const button of root.querySelectorAll("[data-key]")) {
    if (!button.dataset.key.split(" ").includes(name) || button.disabled || !button.checkVisibility({ visibilityProperty: true })) continue;
    if (!button.closest("[data-keys-off]")) return button;
  }
  return null;
}

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (isTyping(event.target)) return;
  // Enter and space on a focused link or button belong to it
  if ((event.key === "Enter" || event.key === " ") && event.target.closest(NATIVE)) return;
  const dialog = document.querySelector("dialog[open]");
  const button = findKeyButton(event.key, dialog || document);
  if (!button) return;
  event.preventDefault();
  if (event.repeat) return; // held down: the next item was not read yet
  button.click();
}

document.addEventListener("keydown", onKey);
