// Similar items: a slider chooses what is at least so similar, and the page counts what is chosen.

const gridForm = document.querySelector("[data-grid]");

function countChosen() {
  const all = [...gridForm.querySelectorAll("[name=rows]")];
  const chosen = all.filter((box) => box.checked).length;
  gridForm.querySelector("[data-chosen]").textContent = `${chosen} / ${all.length}`;
}

if (gridForm) {
  gridForm.querySelector("[data-scripted]").hidden = false;
  const like = gridForm.querySelector("[data-like]");
  like.addEventListener("input", () => {
    gridForm.querySelector("[data-like-shown]").textContent = `${like.value} %`;
    for (const box of gridForm.querySelectorAll("[name=rows]")) box.checked = 100 * Number(box.dataset.similarity) >= Number(like.value);
    countChosen();
  });
  gridForm.addEventListener("change", countChosen);
  countChosen();
}
