import fc from "fast-check";
import { parse } from "smol-toml";
import { assert, assertEquals } from "../../tests/support/assert.ts";
import { isTable, type TomlTable, type TomlValue } from "./document.ts";
import { type KeyMark, scanToml, type TextSpan } from "./scan.ts";

/** The text of the key and of the value at a path. */
function textAt(text: string, path: readonly string[]): [string, string] | undefined {
  let mark: KeyMark | undefined = scanToml(text);
  for (const key of path) mark = mark?.children.get(key);
  return mark && [slice(text, mark.key), slice(text, mark.value)];
}

function slice(text: string, { start, end }: TextSpan): string {
  return text.slice(start, end);
}

const CASES:
  readonly (readonly [name: string, text: string, path: readonly string[], found: [string, string]])[] = [
    ["a plain key", "a = 1", ["a"], ["a", "1"]],
    ["a key of digits", "1 = 2", ["1"], ["1", "2"]],
    ["a quoted key", '"a b" = 1', ["a b"], ['"a b"', "1"]],
    ["a literal key", "'a\"b' = 1", ['a"b'], ["'a\"b'", "1"]],
    ["an escaped key", '"\\u0061" = 1', ["a"], ['"\\u0061"', "1"]],
    ["a dotted key", "a . 'b'.c=1", ["a", "b", "c"], ["c", "1"]],
    ["a key in a table", "[a.b]\nc = 1", ["a", "b", "c"], ["c", "1"]],
    ["a table", "[a.b]\nc = 1", ["a", "b"], ["b", "b"]],
    ["a table that is opened after its child", "[a.b]\n[ a ]\nc = 1", ["a", "c"], ["c", "1"]],
    ["a key in a list of tables", "[[a]]\nb=1\n[[a]]\nb=2", ["a", "1", "b"], ["b", "2"]],
    ["a table below a list's last one", "[[a]]\n[[a]]\n[a.b]\nc=3", ["a", "1", "b", "c"], ["c", "3"]],
    ["a key in an inline table", "a = { b = 1, c = { d = 2 } }", ["a", "c", "d"], ["d", "2"]],
    ["an element", "a = [\n 1, # one ]\n 2 ]", ["a", "1"], ["2", "2"]],
    ["a key of an element", "a = [{ b = 1 }, { b = 2 }]", ["a", "1", "b"], ["b", "2"]],
    ["what follows a comment", '# a = "\na = 1 # [b]\nb = 2', ["b"], ["b", "2"]],
    ["what follows a multi-line string", 'a = """\n""b = 1\\"\n"""""\nb = 2', ["b"], ["b", "2"]],
    ["what follows a literal multi-line string", "a = '''\n''b = 1\n'''''\nb = 2", ["b"], ["b", "2"]],
    ["what follows an empty multi-line string", 'a = """"""\nb = 2', ["b"], ["b", "2"]],
    ["a date with a space", "a = 1979-05-27 07:32:00\nb = 2", ["a"], ["a", "1979-05-27 07:32:00"]],
    ["a value that a comment touches", "a = 1#2", ["a"], ["a", "1"]],
    ["a key after Windows' line ends", "a = 1\r\nb = 2\r\n", ["b"], ["b", "2"]],
  ];

Deno.test("scanToml() finds", async (t) => {
  for (const [name, text, path, found] of CASES) {
    await t.step(name, () => assertEquals(textAt(text, path), found));
  }
});

Deno.test("scanToml() finds every key that the parser yields, at text that is that key", () => {
  fc.assert(fc.property(fc.gen(), (gen) => {
    const text = new Writer(gen).document();
    assertFound(text, parse(text, { integersAsBigInt: true }) as TomlTable, scanToml(text));
  }));
});

function assertFound(text: string, value: TomlValue, mark: KeyMark): void {
  if (!isTable(value) && !Array.isArray(value)) return;
  assertEquals([...mark.children.keys()].toSorted(), Object.keys(value).toSorted());
  for (const [key, item] of Object.entries(value) as [string, TomlValue][]) {
    const child = mark.children.get(key)!;
    if (!Array.isArray(value)) assertEquals(Object.keys(parse(`${slice(text, child.key)} = 1`)), [key]);
    assertValue(slice(text, child.value), { item, isNamedOnly: child.value.start === child.key.start });
    assertFound(text, item, child);
  }
}

/** A table that a header or a dotted key made has no text of its own, its name stands for it. */
function assertValue(text: string, { item, isNamedOnly }: { item: TomlValue; isNamedOnly: boolean }): void {
  if (isNamedOnly && isTable(item) && !text.startsWith("{")) return;
  if (isNamedOnly && Array.isArray(item) && !text.startsWith("[")) return assert(item.every(isTable));
  assertEquals(parse(`it = ${text}`, { integersAsBigInt: true })["it"], item);
}

const NAMES: readonly string[] = [
  "a",
  "b-c",
  "d_e",
  "7",
  "x y",
  'q"t',
  "l'k",
  "ä",
  "",
  "a.b",
  "#",
  "=",
  "[",
  "\\",
  "\t",
  "__proto__",
];

const SCALARS = [
  "1",
  "0x1F",
  "1_000",
  "1.5e3",
  "inf",
  "true",
  "1979-05-27",
  "1979-05-27 07:32:00",
  "07:32:00",
  '""',
  '"a # ] } , \\" \\\\"',
  "'a # ] } , \\'",
  '"""\n a = 1 # ""\\"""\\\\"""""',
  "'''\n[a]\n''x'''''",
  '""""""',
];

/** Writes TOML documents in all the ways there are to write one. */
class Writer {
  readonly #gen: fc.GeneratorValue;

  constructor(gen: fc.GeneratorValue) {
    this.#gen = gen;
  }

  document(): string {
    return this.#lineEnd() + this.#body() + this.#tables("", 3);
  }

  #pick<T>(...choices: T[]): T {
    return choices[this.#count(choices.length - 1)]!;
  }

  #count(max: number): number {
    return this.#gen(fc.nat, max);
  }

  /** Keys that differ, however they are written. */
  #keys(max: number): string[] {
    const names = this.#gen(fc.shuffledSubarray<string>, [...NAMES], { maxLength: max });
    return names.map((name) => this.#key(name));
  }

  #key(name: string): string {
    const basic = JSON.stringify(name);
    if (/^[\w-]+$/.test(name)) return this.#pick(name, basic, `'${name}'`);
    return /['\t]/.test(name) ? basic : this.#pick(basic, `'${name}'`);
  }

  #body(): string {
    return this.#keys(4).map((key) => this.#entry(key) + this.#lineEnd()).join("");
  }

  #entry(key: string): string {
    const dotted = this.#pick(key, key, `${key}${this.#space()}.${this.#space()}${this.#keys(1)[0] ?? "z"}`);
    return `${this.#space()}${dotted}${this.#space()}=${this.#space()}${this.#value(2)}`;
  }

  /** Headers; their names are numbered, since a table's body may hold any other name. */
  #tables(parent: string, depth: number): string {
    let text = "";
    const count = depth === 0 ? 0 : this.#count(3);
    for (let i = 0; i < count; i++) {
      const path = `${parent}${this.#key(`t${i}`)}`;
      const [open, close] = this.#pick(["[", "]"], ["[[", "]]"]) as [string, string];
      const repeats = open === "[" ? 1 : 1 + this.#count(2);
      for (let j = 0; j < repeats; j++) {
        text += `${open}${this.#space()}${path}${this.#space()}${close}${this.#lineEnd()}${this.#body()}`;
        text += this.#tables(`${path}${this.#space()}.`, depth - 1);
      }
    }
    return text;
  }

  #value(depth: number): string {
    const form = depth === 0 ? "scalar" : this.#pick("scalar", "scalar", "list", "table");
    if (form === "scalar") return this.#pick(...SCALARS);
    if (form === "table") return `{${this.#keys(3).map((key) => this.#inlineEntry(key, depth)).join(",")}}`;
    const items = Array.from(
      { length: this.#count(3) },
      () => this.#blank() + this.#value(depth - 1) + this.#blank(),
    );
    return `[${items.join(",")}${items.length > 0 ? this.#pick("", ",") : ""}${this.#blank()}]`;
  }

  #inlineEntry(key: string, depth: number): string {
    return `${this.#space()}${key}${this.#space()}=${this.#space()}${this.#value(depth - 1)}${this.#space()}`;
  }

  #space(): string {
    return this.#pick("", " ", "\t", "  ");
  }

  #blank(): string {
    return this.#pick("", " ", "\n", "\r\n", " # ] \" '\n");
  }

  #lineEnd(): string {
    return this.#pick("\n", "\r\n", ' # x = [ """\n', "\n\n\t\n");
  }
}
