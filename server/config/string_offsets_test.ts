import fc from "fast-check";
import { parse } from "smol-toml";
import { assert, assertEquals } from "../../tests/support/assert.ts";
import { locateInString, type StringPart } from "./string_offsets.ts";

const CASES: readonly (readonly [name: string, raw: string, part: [number, number], found: string])[] = [
  ["a part of a basic string", '"a == b"', [2, 2], "=="],
  ["all of a literal string", "'a\\b'", [0, 3], "a\\b"],
  ["what follows an escaped quote", '"\\"a\\" b"', [4, 1], "b"],
  ["an escape", '"a\\u0062c"', [1, 1], "\\u0062"],
  ["a part that begins and ends with escapes", '"\\tx\\n"', [0, 3], "\\tx\\n"],
  ["what follows an escape of two units", '"\\U0001F600b"', [2, 1], "b"],
  ["an escape of two units by its second one", '"\\U0001F600b"', [1, 1], "\\U0001F600"],
  ["what follows an escape in hex", '"\\x41b"', [1, 1], "b"],
  ["the first line of a multi-line string", '"""\nab\n"""', [0, 2], "ab"],
  ["the first line after Windows' line end", "'''\r\nab\r\n'''", [0, 2], "ab"],
  ["a line after Windows' line end", '"""a\r\nb"""', [3, 1], "b"],
  ["what follows the end of a line that goes on", '"""a \\ \n\n  \t b"""', [2, 1], "b"],
  ["what follows the first line that goes on", '"""\\\n  b"""', [0, 1], "b"],
  ["quotes before the end of a multi-line string", '"""a"""""', [1, 2], '""'],
  ["one character where none is meant", '"abc"', [1, 0], "b"],
];

Deno.test("locateInString() finds", async (t) => {
  for (const [name, raw, [offset, length], found] of CASES) {
    await t.step(name, () => {
      const { start, end } = locateInString(raw, { offset, length });
      assertEquals(raw.slice(start, end), found);
    });
  }
});

Deno.test("locateInString() points at the closing quotes for what is past the end", () => {
  for (const raw of ['""', "''", '"ab"', '"""\nab"""', "''''''"]) {
    const { start, end } = locateInString(raw, { offset: 2, length: 4 });
    assertEquals([raw.slice(start), start], [
      raw.endsWith('"""') || raw.endsWith("'''") ? raw.slice(-3) : raw.slice(-1),
      end,
    ]);
  }
});

const FORMS = [
  {
    open: '"',
    close: '"',
    plain: /^[^"\\\n\r]*$/,
    pieces: ["\\n", '\\"', "\\\\", "\\u00e9", "\\U0001F600", "\\x41"],
  },
  { open: "'", close: "'", plain: /^[^'\n\r]*$/, pieces: ['"', "\\", "\\u0041"] },
  {
    open: '"""',
    close: '"""',
    plain: /^[^"\\\r]*$/,
    pieces: ["\r\n", "\n", '"x', "\\\n  x", "\\ \r\n\n\tx", "\\t"],
  },
  { open: "'''\n", close: "'''", plain: /^[^'\r]*$/, pieces: ["\r\n", "\n", "'x", '"""', "\\u0041"] },
] as const;

/** A string as TOML may write it, with the quotes of its form. */
const written = fc.constantFrom(...FORMS).chain(({ open, close, plain, pieces }) => {
  const piece = fc.oneof(
    fc.constantFrom<string>("a", " ", "#", "é", "😀", ...pieces),
    fc.string({ unit: "binary" }).filter((text) => plain.test(text) && !/(?![\t\n])\p{Cc}/u.test(text)),
  );
  const body = fc.array(piece).map((parts) => parts.join("")).filter((text) =>
    open !== '"""' || !/^\r?\n/.test(text)
  );
  return fc.record({ open: fc.constant<string>(open), close: fc.constant<string>(close), body });
});

Deno.test("locateInString() finds for any part of any string the text that means just this part", () => {
  fc.assert(fc.property(written, fc.nat(), fc.nat(), ({ open, close, body }, from, count) => {
    const raw = open + body + close;
    const characters = decode(raw).match(/\r\n|[^]/gu) ?? [];
    fc.pre(characters.length > 0);
    const first = from % characters.length;
    const part = characters.slice(first, first + 1 + count % (characters.length - first)).join("");
    const { start, end } = locateInString(raw, partAt(characters.slice(0, first).join(""), part));
    assert(start >= open.length && end <= raw.length - close.length);
    assertEquals(decode(reopen(open) + raw.slice(start, end) + close), part);
  }));
});

function partAt(before: string, part: string): StringPart {
  return { offset: before.length, length: part.length };
}

/** A line end after the opening quotes of a multi-line string is none of the string. */
function reopen(open: string): string {
  return open === '"""' ? '"""\n' : open;
}

function decode(raw: string): string {
  return parse(`it = ${raw}`)["it"] as string;
}
