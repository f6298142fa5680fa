// The table of items: one box marks the whole page, and the form says how many are marked.

const itemsForm = document.querySelector("[data-items]");

if (itemsForm) {
  const boxes = [...itemsForm.querySelectorAll("[name=row]")];
  const whole = itemsForm.querySelector("[data-all]");
  const everything = itemsForm.querySelector("[data-everything]");
  const said = itemsForm.querySelector("[data-marked]");

  const count = () => {
    const marked = boxes.filter((box) => box.checked).length;
    whole.checked = marked === boxes.length;
    whole.indeterminate = marked > 0 && marked < boxes.length;
    said.textContent = everything.checked ? "" : `${marked} / ${boxes.length}`;
  };

  whole.hidden = false;
  whole.addEventListener("change", () => {
    for (const box of boxes) box.checked = whole.checked;
    count();
  });
  itemsForm.addEventListener("change", (event) => {
    if (event.target !== whole) count();
  });
  count();
}
