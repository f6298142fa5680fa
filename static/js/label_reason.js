// A dialog that asks for a reason: one of its buttons, a key, or words of one's own.

// onReason(reason) once one was given. Returns the dialog; showModal() asks.
export function askReason(dialog, onReason) {
  const tell = (reason) => {
    if (!reason) return;
    dialog.close();
    dialog.querySelector("form").reset();
    onReason(reason);
  };
  dialog.addEventListener("click", (event) => tell(event.target.closest("[data-reason]")?.dataset.reason));
  dialog.addEventListener("submit", (event) => {
    event.preventDefault();
    tell(dialog.querySelector("[name=reason_text]").value.trim());
  });
  return dialog;
}
