// The ranking as a row of chips: dragged by pointer or finger to another place, onto another chip to tie with it, or moved
// by the arrow keys while one has the focus.

const NEAR = 6; // px before a press is a drag

export class RankingDrag {
  // options: list (groups are its <li>, chips have data-chip), mayTie, onDrop(id, index, isTie), onShift(id, by)
  constructor(options) {
    Object.assign(this, options);
    this.held = null;
    this.list.addEventListener("pointerdown", (event) => this.grab(event));
    this.list.addEventListener("pointermove", (event) => this.drag(event));
    this.list.addEventListener("pointerup", () => this.drop());
    this.list.addEventListener("pointercancel", () => this.release());
    this.list.addEventListener("keydown", (event) => this.onKey(event));
  }

  grab(event) {
    const chip = event.target.closest("[data-chip]");
    if (!chip || event.button) return;
    chip.setPointerCapture(event.pointerId);
    this.held = { chip, x: event.clientX, y: event.clientY, target: null };
  }

  drag(event) {
    const { held } = this;
    if (!held) return;
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
    if (!held.isMoving && Math.hypot(dx, dy) < NEAR) return;
    held.isMoving = true;
    held.chip.style.transform = `translate(${dx}px, ${dy}px)`;
    this.aim(this.targetAt(event.clientX, event.clientY));
  }

  // Where a drop would lead: `index` among the groups that remain without the chip, before it or into it.
  targetAt(x, y) {
    const { chip } = this.held;
    const groups = [...this.list.children].filter((group) => group.querySelectorAll("[data-chip]").length > 1 || !group.contains(chip));
    for (const [index, group] of groups.entries()) {
      const box = group.getBoundingClientRect();
      if (y > box.bottom || (x > box.right && y >= box.top)) continue;
      const share = (x - box.left) / box.width;
      const isTie = this.mayTie && !group.contains(chip) && share > 0.25 && share < 0.75 && y > box.top;
      return { group, index: index + (!isTie && share >= 0.5 ? 1 : 0), isTie, side: share >= 0.5 ? "after" : "before" };
    }
    return { group: groups.at(-1), index: groups.length, isTie: false, side: "after" };
  }

  aim(target) {
    for (const group of this.list.children) delete group.dataset.drop;
    this.held.target = target;
    if (target.group) target.group.dataset.drop = target.isTie ? "into" : target.side;
  }

  drop() {
    const held = this.held;
    this.release();
    if (held?.target) this.onDrop(held.chip.dataset.chip, held.target.index, held.target.isTie);
  }

  release() {
    if (!this.held) return;
    this.held.chip.style.transform = "";
    for (const group of this.list.children) delete group.dataset.drop;
    this.held = null;
  }

  onKey(event) {
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const id = event.target.closest("[data-chip]")?.dataset.chip;
    if (!by || !id) return;
    event.preventDefault();
    this.onShift(id, by);
    this.list.querySelector(`[data-chip="${CSS.escape(id)}"]`)?.focus();
  }
}
