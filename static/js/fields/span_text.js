// Places in a text. JavaScript counts UTF-16 units, the server Unicode code points, and people see graphemes: an emoji
// of seven code points, a letter with its accents. All places here are units unless a name says points.

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const WORDS = new Intl.Segmenter(undefined, { granularity: "word" }); // Chinese, Japanese and Thai by dictionary
const WITHOUT_SPACES = /[\p{Script_Extensions=Han}\p{Script_Extensions=Hiragana}\p{Script_Extensions=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const PICTURE = /[\p{S}\p{Extended_Pictographic}]/u;
const DIRECTED = /[\p{L}\p{N}]/u;
const STRONG = /\p{L}/u;
const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u;

export class SpanText {
  constructor(text) {
    this.text = text;
    this.length = text.length;
    this.graphemes = GRAPHEMES.segment(text);
    this.words = WORDS.segment(text);
    this.pairs = Array.from(text.matchAll(/[\u{10000}-\u{10FFFF}]/gu), (found) => found.index);
  }

  // How many surrogate pairs the test holds for, beginning with the first.
  count(test) {
    let [low, high] = [0, this.pairs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (test(this.pairs[middle], middle)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  toPoints(unit) {
    return unit - this.count((pair) => pair < unit);
  }

  toUnits(points) {
    return points + this.count((pair, before) => pair - before < points);
  }

  slice(start, end) {
    return this.text.slice(start, end);
  }

  graphemeStart(unit) {
    return this.graphemes.containing(unit)?.index ?? this.length;
  }

  graphemeEnd(unit) {
    const found = unit > 0 && this.graphemes.containing(unit - 1);
    return found ? found.index + found.segment.length : 0;
  }

  // What somebody meant by selecting from `a` to `b`: whole graphemes (or words), no white space at the ends; null for
  // nothing but white space.
  snap(a, b, byWord = false) {
    if (a === b) return null;
    let [start, end] = [this.graphemeStart(Math.min(a, b)), this.graphemeEnd(Math.max(a, b))];
    for (let one; start < end && !(one = this.graphemes.containing(start).segment).trim();) start += one.length;
    for (let one; start < end && !(one = this.graphemes.containing(end - 1).segment).trim();) end -= one.length;
    if (start >= end) return null;
    if (byWord) {
      const [first, last] = [this.words.containing(start), this.words.containing(end - 1)];
      if (isSpacedWord(first)) start = first.index;
      if (isSpacedWord(last)) end = last.index + last.segment.length;
    }
    return { start, end };
  }

  // The word at a place, or the next one behind it; null behind the last. An emoji is a word, a comma is none.
  wordFrom(unit) {
    for (let one = this.words.containing(unit); one; one = this.words.containing(one.index + one.segment.length)) {
      if (isWord(one)) return { start: one.index, end: one.index + one.segment.length };
    }
    return null;
  }

  // The last word that ends at `unit` or before it.
  wordBefore(unit) {
    for (let end = Math.min(unit, this.length); end > 0;) {
      const one = this.words.containing(end - 1);
      if (isWord(one) && one.index + one.segment.length <= unit) return { start: one.index, end: one.index + one.segment.length };
      end = one.index;
    }
    return null;
  }

  wordAt(unit) {
    const one = this.words.containing(Math.min(unit, this.length - 1));
    return one && isWord(one) ? { start: one.index, end: one.index + one.segment.length } : null;
  }

  // Whether the line of the text around a place runs from right to left: its first letter says so.
  isRightToLeft(unit) {
    const begin = this.text.lastIndexOf("\n", unit - 1) + 1;
    const end = this.text.indexOf("\n", unit);
    const letter = STRONG.exec(this.text.slice(begin, end < 0 ? undefined : end));
    return letter !== null && RIGHT_TO_LEFT.test(letter[0]);
  }

  // Whether the character at a place does; one that has no direction goes with its line.
  isRightToLeftAt(unit) {
    const one = String.fromCodePoint(this.text.codePointAt(unit) ?? 32);
    return RIGHT_TO_LEFT.test(one) || (!DIRECTED.test(one) && this.isRightToLeft(unit));
  }
}

function isWord(one) {
  return one.isWordLike || PICTURE.test(one.segment);
}

function isSpacedWord(one) {
  return one.isWordLike && !WITHOUT_SPACES.test(one.segment);
}
