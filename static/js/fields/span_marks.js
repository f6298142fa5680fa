// The marks of one text and the relations between them, with every step kept so that it can be taken back.
//
// A mark is {start, end, label}, a relation {from, to, label} between two marks. Both are never changed, only replaced, so
// that a step is two lists and a mark is known again by being the same object.

export function inOrder(a, b) {
  return a.start - b.start || b.end - a.end || (a.label < b.label ? -1 : Number(a.label > b.label));
}

export class SpanMarks {
  // options: nested, overlapping, hasRelations
  constructor({ nested = false, overlapping = false, hasRelations = false }) {
    Object.assign(this, { nested, overlapping, hasRelations });
    this.clear();
  }

  clear() {
    this.marks = [];
    this.relations = [];
    this.untouched = new WeakSet(); // as suggested: nobody has looked at them yet
    this.steps = [];
    this.undone = [];
  }

  // `answer` counts in code points; `suggested` is the answer that a pre-label gave.
  load(text, answer, suggested) {
    this.clear();
    const key = (span) => `${span.start} ${span.end} ${span.label}`;
    const keys = new Set((suggested?.spans ?? []).map(key));
    const marks = (answer?.spans ?? []).map((span) => {
      const mark = { start: text.toUnits(span.start), end: text.toUnits(span.end), label: span.label };
      if (keys.has(key(span))) this.untouched.add(mark);
      return mark;
    });
    this.relations = (answer?.relations ?? []).map((one) => ({ from: marks[one.from], to: marks[one.to], label: one.label }));
    this.marks = marks.sort(inOrder);
  }

  // As the server stores it: in code points, spans in their order, relations by position.
  answer(text) {
    const place = new Map(this.marks.map((mark, at) => [mark, at]));
    const spans = this.marks.map(({ start, end, label }) => ({ start: text.toPoints(start), end: text.toPoints(end), label }));
    if (!this.hasRelations) return { spans };
    const relations = this.relations.map((one) => ({ from: place.get(one.from), to: place.get(one.to), label: one.label }));
    relations.sort((a, b) => a.from - b.from || a.to - b.to || (a.label < b.label ? -1 : 1));
    return { spans, relations };
  }

  step(marks, relations = this.relations) {
    this.steps.push([this.marks, this.relations]);
    this.undone = [];
    [this.marks, this.relations] = [marks.sort(inOrder), relations];
  }

  undo(from = this.steps, to = this.undone) {
    if (!from.length) return false;
    to.push([this.marks, this.relations]);
    [this.marks, this.relations] = from.pop();
    return true;
  }

  redo() {
    return this.undo(this.undone, this.steps);
  }

  // The mark that keeps `mark` from standing here, and why: "same", "inside" or "crosses"; null where it may stand.
  obstacle(mark, instead = null) {
    for (const one of this.marks) {
      if (one === instead || one.end <= mark.start || mark.end <= one.start) continue;
      const isSame = one.start === mark.start && one.end === mark.end;
      if (isSame && one.label === mark.label) return { mark: one, why: "same" };
      if (this.overlapping) continue;
      const isInside = (one.start <= mark.start && mark.end <= one.end) || (mark.start <= one.start && one.end <= mark.end);
      if (!isInside || !this.nested) return { mark: one, why: isInside ? "inside" : "crosses" };
    }
    return null;
  }

  add(mark) {
    this.step([...this.marks, mark]);
  }

  replace(old, mark) {
    const now = (one) => (one === old ? mark : one);
    this.step(this.marks.map(now), this.relations.map((one) => ({ ...one, from: now(one.from), to: now(one.to) })));
  }

  remove(mark) {
    this.step(this.marks.filter((one) => one !== mark), this.relations.filter((one) => one.from !== mark && one.to !== mark));
  }

  // False where the relation is there already.
  relate(from, to, label) {
    if (this.relations.some((one) => one.from === from && one.to === to && one.label === label)) return false;
    this.step([...this.marks], [...this.relations, { from, to, label }]);
    return true;
  }

  unrelate(relation) {
    this.step([...this.marks], this.relations.filter((one) => one !== relation));
  }
}
