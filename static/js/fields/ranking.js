// A ranking in the making: groups of responses, best first; those in one group are tied. No page is touched here.

export class Ranking {
  // `ids`: all there are; `groups`: what is ranked so far
  constructor(ids, groups = []) {
    this.ids = ids;
    this.groups = groups.map((group) => group.filter((id) => ids.includes(id))).filter((group) => group.length);
    this.tiesNext = false; // the next one shares the last place
  }

  placed() {
    return this.groups.flat();
  }

  isComplete() {
    return this.ids.length > 0 && this.placed().length === this.ids.length;
  }

  isAllTied() {
    return this.isComplete() && this.groups.length === 1;
  }

  // The place of a response, counted from 1, as people count: after a tie of two for the first comes the third. 0: none yet.
  placeOf(id) {
    const at = this.groups.findIndex((group) => group.includes(id));
    return at < 0 ? 0 : this.groups.slice(0, at).flat().length + 1;
  }

  isBest(id) {
    return this.placeOf(id) === 1 && !this.isAllTied();
  }

  isTied(id) {
    return this.groups.some((group) => group.length > 1 && group.includes(id));
  }

  // The next best; one that has a place already loses it. Of two, one press ranks both.
  press(id) {
    if (this.ids.length === 2) this.groups = [[id], this.ids.filter((other) => other !== id)];
    else if (this.placeOf(id)) this.take(id);
    else if (this.tiesNext && this.groups.length) this.groups.at(-1).push(id);
    else this.groups.push([id]);
    this.tiesNext = false;
  }

  tie() {
    if (this.ids.length === 2) this.groups = [[...this.ids]];
    else this.tiesNext = !this.tiesNext && this.groups.length > 0 && !this.isComplete();
  }

  back() {
    if (this.tiesNext) this.tiesNext = false;
    else if (this.ids.length === 2) this.groups = [];
    else if (this.groups.length) this.take(this.groups.at(-1).at(-1));
  }

  take(id) {
    this.groups = this.groups.map((group) => group.filter((one) => one !== id)).filter((group) => group.length);
  }

  // To a place of its own before the group at `index` of those without it, or into that group.
  move(id, index, isTie = false) {
    this.take(id);
    if (isTie && this.groups[index]) this.groups[index].push(id);
    else this.groups.splice(index, 0, [id]);
  }

  // One place up or down, out of a tie first.
  shift(id, by) {
    const at = this.groups.findIndex((group) => group.includes(id));
    const isTie = this.groups[at].length > 1;
    this.move(id, isTie ? at + (by > 0 ? 1 : 0) : Math.max(0, at + by));
  }
}
