/**
 * Where the keys and values of a TOML text are. The parser keeps no positions of good values, so that a wrong one could
 * be named but not shown; this finds them. It expects a text that the parser has accepted, and checks nothing itself.
 *
 * @module
 */

import { parse } from "smol-toml";

/** Part of a text: from `start` up to but not including `end`, in UTF-16 units. */
export interface TextSpan {
  readonly start: number;
  readonly end: number;
}

/** A key of the text: where it is, where its value is, and what is below it. */
export interface KeyMark {
  /** The key itself as written, quotes included; the value's place for elements of lists. */
  key: TextSpan;
  /** The value; for tables with a header the key in the header. */
  value: TextSpan;
  /** By key, or by index for lists. */
  readonly children: Map<string, KeyMark>;
  /** The element that `[[list]]` opened last. */
  latest?: KeyMark;
}

/** The marks of a TOML text that the parser accepts. */
export function scanToml(text: string): KeyMark {
  return new Scanner(text).scan();
}

interface KeyWord {
  readonly name: string;
  readonly span: TextSpan;
}

const BLANK = /(?:[ \t\r\n]+|#[^\n]*)*/y;
const SPACE = /[ \t]*/y;
const BARE_KEY = /[A-Za-z0-9_-]+/y;
const STRING = new RegExp(
  [
    `"""(?:[^"\\\\]|\\\\[\\s\\S]|"{1,2}(?!"))*"{3,5}`,
    `'''(?:[^']|'{1,2}(?!'))*'{3,5}`,
    `"(?:[^"\\\\]|\\\\.)*"`,
    `'[^']*'`,
  ].join("|"),
  "y",
);
/** Numbers, booleans, dates (which may hold one space). */
const BARE_VALUE = /[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?/y;
const NOWHERE: TextSpan = { start: 0, end: 0 };

class Scanner {
  readonly #text: string;
  readonly #root = createMark(NOWHERE);
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): KeyMark {
    let table = this.#root;
    for (this.#take(BLANK); this.#at < this.#text.length; this.#take(BLANK)) {
      if (this.#peek() === "[") table = this.#header();
      else this.#entry(table);
    }
    return this.#root;
  }

  #header(): KeyMark {
    const isList = this.#text.startsWith("[[", this.#at);
    this.#at += isList ? 2 : 1;
    const words = this.#words();
    this.#at += isList ? 2 : 1;
    const mark = descend(this.#root, words);
    mark.key = mark.value = words.at(-1)!.span;
    return isList ? this.#append(mark, mark.key) : mark;
  }

  #append(list: KeyMark, span: TextSpan): KeyMark {
    list.latest = createMark(span);
    list.children.set(String(list.children.size), list.latest);
    return list.latest;
  }

  #entry(table: KeyMark): void {
    const mark = descend(table, this.#words());
    this.#at += "=".length;
    this.#take(SPACE);
    this.#value(mark);
  }

  #words(): KeyWord[] {
    const words: KeyWord[] = [];
    do {
      if (words.length > 0) this.#at += ".".length;
      this.#take(SPACE);
      words.push(this.#word());
      this.#take(SPACE);
    } while (this.#peek() === ".");
    return words;
  }

  #word(): KeyWord {
    const span = this.#take(/["']/.test(this.#peek()) ? STRING : BARE_KEY);
    const raw = this.#text.slice(span.start, span.end);
    return { name: /^["']/.test(raw) ? String(parse(`key = ${raw}`)["key"]) : raw, span };
  }

  #value(mark: KeyMark): void {
    const start = this.#at;
    const first = this.#peek();
    if (first === "{") this.#sequence("}", () => this.#entry(mark));
    else if (first === "[") this.#sequence("]", () => this.#element(mark));
    else this.#take(/["']/.test(first) ? STRING : BARE_VALUE);
    mark.value = { start, end: this.#at };
  }

  #element(list: KeyMark): void {
    const mark = this.#append(list, NOWHERE);
    this.#value(mark);
    mark.key = mark.value;
  }

  /** What stands between brackets: items, commas, and blanks anywhere. */
  #sequence(close: string, item: () => void): void {
    this.#at++;
    for (this.#take(BLANK); this.#peek() !== close; this.#take(BLANK)) {
      if (this.#peek() === ",") this.#at++;
      else item();
    }
    this.#at++;
  }

  #peek(): string {
    const character = this.#text[this.#at];
    if (character === undefined) throw new TypeError("Cannot scan the TOML text: it ends too early");
    return character;
  }

  #take(pattern: RegExp): TextSpan {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text)?.[0];
    if (taken === undefined) throw new TypeError(`Cannot scan the TOML text: stuck at ${this.#at}`);
    const start = this.#at;
    this.#at += taken.length;
    return { start, end: this.#at };
  }
}

function createMark(span: TextSpan): KeyMark {
  return { key: span, value: span, children: new Map() };
}

/** The mark at the end of a dotted key; on the way, a list of tables means its latest one. */
function descend(from: KeyMark, words: readonly KeyWord[]): KeyMark {
  let mark = from;
  for (const { name, span } of words) {
    const parent = mark.latest ?? mark;
    mark = parent.children.get(name) ?? createMark(span);
    parent.children.set(name, mark);
  }
  return mark;
}
