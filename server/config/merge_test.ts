import fc from "fast-check";
import { assertEquals } from "../../tests/support/assert.ts";
import { type Document, parseDocuments, type TomlTable } from "./document.ts";
import { formatProblem } from "./error.ts";

/** Texts as the files a.toml, b.toml, …, each in a folder of that name. */
function parseAll(...texts: string[]): Document {
  const [first = "", ...others] = texts;
  const source = (text: string, position: number) => {
    const name = String.fromCharCode("a".charCodeAt(0) + position);
    return { origin: `${name}.toml`, folder: `/${name}`, text };
  };
  return parseDocuments([source(first, 0), ...others.map((text, position) => source(text, position + 1))]);
}

/** The parser gives some of its tables no prototype; it is none of what they say. */
function plain(value: TomlTable): TomlTable {
  return structuredClone(value);
}

function problemsOf(document: Document): string[] {
  return document.problems().map(formatProblem);
}

const MERGED: readonly (readonly [name: string, texts: readonly string[], value: unknown])[] = [
  ["tables that differ", ["[a]\nb = 1", "[c]\nd = 2"], { a: { b: 1n }, c: { d: 2n } }],
  ["tables of one name", ["[a]\nb = 1", "[a]\nc = 2"], { a: { b: 1n, c: 2n } }],
  ["tables within tables", ["[a.b]\nc = 1", "a.b.d = 2", "a = { b = { e = 3 } }"], {
    a: { b: { c: 1n, d: 2n, e: 3n } },
  }],
  ["a key that both set equally", ["a = [1, 'x']\nb = 1e3", 'a = [1, "x"]\nb = 1000.0'], {
    a: [1n, "x"],
    b: 1000,
  }],
  ["lists of tables", ["[[a]]\nb = 1", "[[a]]\nb = 2\n[[a]]\nb = 1", "a = [{ b = 4 }]"], {
    a: [{ b: 1n }, { b: 2n }, { b: 1n }, { b: 4n }],
  }],
  ["lists of tables below tables", ["[a]\n[[a.b]]\nc = 1", "[[a.b]]\nc = 2"], {
    a: { b: [{ c: 1n }, { c: 2n }] },
  }],
  ["a file that says nothing", ["a = 1", "", "b = 2"], { a: 1n, b: 2n }],
];

Deno.test("parseDocuments() merges", async (t) => {
  for (const [name, texts, value] of MERGED) {
    await t.step(name, () => {
      const document = parseAll(...texts);
      assertEquals([plain(document.value), problemsOf(document)], [value, []]);
    });
  }
});

const CONFLICTS: readonly (readonly [name: string, texts: readonly string[], problems: readonly string[]])[] =
  [
    ["values that differ", ["[a]\nb = 1", "a.b = 2"], [
      "a.toml:2:5: a.b: set differently at b.toml:1:7\n  2 | b = 1\n    |     ^",
      "b.toml:1:7: a.b: set differently at a.toml:2:5\n  1 | a.b = 2\n    |       ^",
    ]],
    ["values of another kind", ["a = 1", "a = 1.0"], [
      "a.toml:1:5: a: set differently at b.toml:1:5\n  1 | a = 1\n    |     ^",
      "b.toml:1:5: a: set differently at a.toml:1:5\n  1 | a = 1.0\n    |     ^^^",
    ]],
    ["a table and a value", ["[a]\nb = 1", 'a = "b"'], [
      "a.toml:1:2: a: set differently at b.toml:1:5\n  1 | [a]\n    |  ^",
      'b.toml:1:5: a: set differently at a.toml:1:2\n  1 | a = "b"\n    |     ^^^',
    ]],
    ["lists of values that differ", ["a = [1]", "a = [1, 2]"], [
      "a.toml:1:5: a: set differently at b.toml:1:5\n  1 | a = [1]\n    |     ^^^",
      "b.toml:1:5: a: set differently at a.toml:1:5\n  1 | a = [1, 2]\n    |     ^^^^^^",
    ]],
    ["an empty list and a list of tables", ["a = []", "[[a]]"], [
      "a.toml:1:5: a: set differently at b.toml:1:3\n  1 | a = []\n    |     ^^",
      "b.toml:1:3: a: set differently at a.toml:1:5\n  1 | [[a]]\n    |   ^",
    ]],
  ];

Deno.test("parseDocuments() shows both places of", async (t) => {
  for (const [name, texts, problems] of CONFLICTS) {
    await t.step(name, () => assertEquals(problemsOf(parseAll(...texts)), problems));
  }
});

Deno.test("parseDocuments() shows everything that is not TOML, of all files", () => {
  let message = "";
  try {
    parseAll("a 1", "b = 1", "[c");
  } catch (error) {
    ({ message } = error as Error);
  }
  assertEquals(
    message.split("\n").filter((line) => line.includes(".toml:")).map((line) => line.slice(0, 16)),
    [
      "a.toml:1:3: not ",
      "c.toml:1:2: not ",
    ],
  );
});

Deno.test("A place tells problems and its folder by the file that writes it", async (t) => {
  const document = parseAll("[a]\nb = 1\n[[c]]\nd = 1", "[a]\ne = 2\n[[c]]\nd = 2", "[f]");
  const { place } = document;
  await t.step("a key of a table that several files write", () => {
    assertEquals(place.child("a").child("b").folder, "/a");
    assertEquals(place.child("a").child("e").folder, "/b");
  });
  await t.step("an element of a joined list", () => {
    assertEquals(place.child("c").child("0").child("d").folder, "/a");
    assertEquals(place.child("c").child("1").child("d").folder, "/b");
  });
  await t.step("what is not written, by the table around it", () => {
    assertEquals(place.child("f").child("g").folder, "/c");
    assertEquals(place.child("nowhere").folder, "/a");
  });
  await t.step("problems, in the order of the files", () => {
    place.child("f").child("g").fail("missing");
    place.child("c").child("1").child("d").fail("wrong");
    place.child("a").child("e").fail("unknown", "key");
    place.child("a").child("b").fail("bad");
    assertEquals(problemsOf(document), [
      "a.toml:2:5: a.b: bad\n  2 | b = 1\n    |     ^",
      "b.toml:2:1: a.e: unknown\n  2 | e = 2\n    | ^",
      "b.toml:4:5: c.1.d: wrong\n  4 | d = 2\n    |     ^",
      "c.toml:1:2: f.g: missing\n  1 | [f]\n    |  ^",
    ]);
  });
});

/** Documents whose keys are few, so that they meet. */
const anyTable = fc.letrec<{ table: Record<string, unknown>; value: unknown }>((tie) => ({
  table: fc.dictionary(fc.constantFrom("a", "b", "__proto__", "x y"), tie("value"), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
  value: fc.oneof({ depthSize: "small" }, fc.nat(1), tie("table")),
})).table;

Deno.test("parseDocuments() answers for one file in two pieces what it answers for the whole", () => {
  fc.assert(fc.property(anyTable, fc.infiniteStream(fc.boolean()), (table, choices) => {
    const lines = leaves(table);
    const isFirst = lines.map(() => choices.next().value);
    const [first, second] = [true, false].map((side) =>
      lines.filter((_, line) => isFirst[line] === side).join("\n")
    );
    const merged = parseAll(first!, second!);
    assertEquals([plain(merged.value), problemsOf(merged)], [plain(parseAll(lines.join("\n")).value), []]);
  }));
});

/** A line for each value that is no table. */
function leaves(table: object, path: readonly string[] = []): string[] {
  return Object.entries(table).flatMap(([key, value]) => {
    const keys = [...path, JSON.stringify(key)];
    return typeof value === "object" ? leaves(value, keys) : [`${keys.join(".")} = ${value}`];
  });
}
