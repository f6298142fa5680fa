// Key groups: parts of the page whose buttons share the same keys. Keys act in one of them at a time, the active one,
// which is marked. It follows focus and pointer, goes on when a group is answered, and "," and "." step through.
//   <fieldset data-key-group>      innermost groups count; what a field holds beside them listens with any of them
//   <button data-step-group="1">   goes to the next group; [data-group-steps] around it shows where there are several

const NAMED_BY = "legend, .field-title";

export class KeyGroups {
  // `sections`: the elements of the fields; onActive(group) when the keys have come to a group
  constructor(root, sections, onActive = () => {}) {
    this.root = root;
    this.onActive = onActive;
    this.sections = sections;
    this.active = null;
    this.steps = root.querySelector("[data-group-steps]");
    this.said = root.querySelector("[data-active-group]");
    for (const sign of ["focusin", "pointerdown"]) {
      root.addEventListener(sign, (event) => this.activate(event.target.closest("[data-key-group]")));
    }
    root.addEventListener("click", (event) => {
      const step = event.target.closest("[data-step-group]");
      if (step) this.step(Number(step.dataset.stepGroup));
    });
  }

  innermost(within = this.root) {
    const all = [...within.querySelectorAll("[data-key-group]"), ...(within.matches("[data-key-group]") ? [within] : [])];
    return all.filter((group) => !group.querySelector("[data-key-group]"));
  }

  // Those that can be used now, in the order of the page.
  shown(within = this.root) {
    return this.innermost(within).filter((group) => group.checkVisibility({ visibilityProperty: true }));
  }

  activate(group) {
    const shown = this.shown();
    if (!group || !shown.includes(group)) return;
    this.active = group;
    const several = shown.length > 1;
    for (const one of this.innermost()) {
      one.toggleAttribute("data-keys-on", one === group && several);
      one.toggleAttribute("data-keys-off", one !== group);
    }
    for (const section of this.sections) section.toggleAttribute("data-keys-off", !section.contains(group));
    if (this.steps) this.steps.hidden = !several;
    if (this.said) this.said.textContent = several ? this.nameOf(group) : "";
    this.onActive(group);
  }

  // After something was shown or hidden: the active group stays, or the first one is.
  refresh() {
    const shown = this.shown();
    this.activate(shown.includes(this.active) ? this.active : shown[0]);
  }

  step(by = 1) {
    const shown = this.shown();
    const group = shown[shown.indexOf(this.active) + by];
    if (!group) return;
    this.activate(group);
    group.scrollIntoView({ block: "nearest" });
  }

  nameOf(group) {
    return (group.querySelector(NAMED_BY) ?? group.closest("[data-field]")?.querySelector(NAMED_BY))?.textContent.trim() ?? "";
  }
}
