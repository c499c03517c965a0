import { assertEquals } from "../../tests/support/assert.ts";
import { parseDocument } from "./document.ts";
import { formatProblem } from "./error.ts";
import { boolean, choice, duration, host, integer, type Kind, path, size, text } from "./kinds.ts";
import { defaulted, list, named, optional, required, table } from "./tables.ts";

/** What `key` of a text is read as; the problems, rendered, where it is not good. */
function read(kind: Kind<unknown, string>, source: string): unknown {
  const document = parseDocument({ origin: "f.toml", folder: "/etc/sreg", text: source });
  const value = table({ key: required(kind, "A key.") }).read(document.value, document.place);
  const problems = document.problems();
  return problems.length > 0 ? problems.map(formatProblem) : Object.values(value!)[0];
}

const WORD = text({ pattern: /^[a-z]+$/, expected: "a word" });

const GOOD: readonly (readonly [name: string, kind: Kind<unknown, string>, text: string, value: unknown])[] =
  [
    ["text", text(), 'key = "a b"', "a b"],
    ["text of a form", WORD, 'key = "ab"', "ab"],
    ["an integer", integer({ min: 0, max: 9 }), "key = 9", 9],
    ["the smallest integer", integer({ min: -3 }), "key = -3", -3],
    ["a boolean", boolean, "key = false", false],
    ["a choice", choice(["a", "b"]), 'key = "b"', "b"],
    ["a duration", duration({ min: "1s", max: "1m" }), 'key = "60s"', 60_000],
    ["a size", size({ max: "1MiB" }), 'key = "1024KiB"', 1_048_576],
    ["a size that is a number", size({ max: "1MiB" }), "key = 1048576", 1_048_576],
    ["a relative path", path, 'key = "../data"', "/etc/data"],
    ["an absolute path", path, 'key = "/data/"', "/data"],
    ["an IPv4 address", host, 'key = "0.0.0.0"', "0.0.0.0"],
    ["an IPv6 address", host, 'key = "::1"', "::1"],
    ["a host name", host, 'key = "registry-1.example.org"', "registry-1.example.org"],
    ["a list", list(integer()), "key = [1, 2]", [1, 2]],
    ["names", named(boolean), 'key = { a = true, "b/*" = false }', new Map([["a", true], ["b/*", false]])],
  ];

Deno.test("A value is read:", async (t) => {
  for (const [name, kind, source, value] of GOOD) {
    await t.step(name, () => assertEquals(read(kind, source), value));
  }
});

const BAD: readonly (readonly [kind: Kind<unknown, string>, value: string, message: string])[] = [
  [text(), "1", "expected a string, found 1"],
  [text(), '""', 'expected a string, found ""'],
  [WORD, '"A"', 'expected a word, found "A"'],
  [integer(), '"1"', 'expected an integer, found "1"'],
  [integer(), "1.0", "expected an integer, found 1.0"],
  [integer(), "true", "expected an integer, found true"],
  [integer({ min: 0 }), "-1", "expected an integer of at least 0, found -1"],
  [integer({ max: 9 }), "10", "expected an integer of at most 9, found 10"],
  [integer({ min: 0, max: 65_535 }), "65536", "expected an integer from 0 to 65535, found 65536"],
  [integer(), "1979-05-27", "expected an integer, found a date"],
  [boolean, '"true"', 'expected true or false, found "true"'],
  [boolean, "1", "expected true or false, found 1"],
  [choice(["a", "b"]), '"c"', 'expected one of "a", "b", found "c"'],
  [duration(), "60", 'expected a duration such as "90s" or "1h30m", found 60'],
  [duration({ min: "1s" }), '"500ms"', 'expected a duration of at least "1s", found "500ms"'],
  [duration({ min: "1s", max: "1m" }), '"2m"', 'expected a duration from "1s" to "1m", found "2m"'],
  [size(), "-1", 'expected a size such as "64MiB", found -1'],
  [size({ max: "1MiB" }), "1048577", 'expected a size of at most "1MiB", found 1048577'],
  [size(), '"5 MB"', 'expected a size such as "64MiB", found "5 MB"'],
  [size({ max: "1MiB" }), '"1GiB"', 'expected a size of at most "1MiB", found "1GiB"'],
  [path, '""', 'expected a path, found ""'],
  [path, '"a\\u0000"', 'expected a path, found "a\\u0000"'],
  [host, '"1.2.3"', 'expected an IP address or a host name, found "1.2.3"'],
  [host, '"[::1]"', 'expected an IP address or a host name, found "[::1]"'],
  [host, '"-a"', 'expected an IP address or a host name, found "-a"'],
  [list(text()), '"a"', 'expected a list, found "a"'],
  [named(text()), "[1]", "expected a table, found a list"],
  [table({}), "1", "expected a table, found 1"],
  [text(), "{ a = 1 }", "expected a string, found a table"],
  [text(), "[]", "expected a string, found a list"],
  [WORD, `"${"A".repeat(80)}"`, `expected a word, found "${"A".repeat(59)}…`],
];

Deno.test("A value is refused:", async (t) => {
  for (const [kind, value, message] of BAD) {
    await t.step(`${value.slice(0, 30)}: ${message}`, () => {
      const caret = "^".repeat([...value].length);
      assertEquals(read(kind, `key = ${value}`), [
        `f.toml:1:7: key: ${message}\n  1 | key = ${value}\n    |       ${caret}`,
      ]);
    });
  }
});

Deno.test("A problem inside a list or a table is shown where it is", () => {
  assertEquals(read(named(list(integer())), 'key = {\n\t"a b" = [\n\t1, "é", "x",\n] }'), [
    'f.toml:3:5: key."a b".1: expected an integer, found "é"\n  3 | \t1, "é", "x",\n    | \t   ^^^',
    'f.toml:3:10: key."a b".2: expected an integer, found "x"\n  3 | \t1, "é", "x",\n    | \t        ^^^',
  ]);
});

Deno.test("A value of several lines is shown by its first", () => {
  assertEquals(read(integer(), "# one\nkey = [\n1,\n]"), [
    "f.toml:2:7: key: expected an integer, found a list\n  2 | key = [\n    |       ^",
  ]);
});

Deno.test("A table names its keys in camel case with their unit, frozen, and leaves out what is absent", () => {
  const kind = table({
    idle_timeout: required(duration(), "A duration."),
    part_size: defaulted(size(), { to: "5MiB", doc: "A size." }),
    bind_address: optional(text(), "An address."),
    tls_1_3: defaulted(boolean, { to: true, doc: "A boolean." }),
  });
  const document = parseDocument({ origin: "f.toml", folder: "/", text: 'idle_timeout = "1s"' });
  const value = kind.read(document.value, document.place)!;
  assertEquals(value, { idleTimeoutMs: 1000, partSizeBytes: 5_242_880, tls13: true });
  assertEquals(Object.isFrozen(value), true);
});
