import fc from "fast-check";
import { assertEquals } from "../../../tests/support/assert.ts";
import { comparePatterns, parsePattern } from "./pattern.ts";

const COVERED: readonly (readonly [pattern: string, name: string])[] = [
  ["team", "team"],
  ["team", "team/app"],
  ["team", "team/a/b/c"],
  ["team/app", "team/app/debug"],
  ["*", "team"],
  ["team/*", "team/app"],
  ["*/app", "team/app"],
  ["te*", "team"],
  ["t*a*m", "team"],
  ["a*a", "aa"],
  ["team/**", "team/app"],
  ["team/**", "team/a/b"],
  ["team/**", "team"],
  ["**", "a/b/c"],
  ["**/app", "app"],
  ["**/app", "a/b/app"],
  ["a/**/z", "a/z"],
  ["a/**/z", "a/b/c/z"],
  ["a/**/m/**/z", "a/m/m/z"],
  ["a**", "abc"],
];

const FOREIGN: readonly (readonly [pattern: string, name: string])[] = [
  ["team", "teams"],
  ["team", "my/team"],
  ["team/app", "team"],
  ["*", "team/app"],
  ["team/*", "team"],
  ["team/*", "team/app/debug"],
  ["team/*", "teams/app"],
  ["a*a", "a"],
  ["a*bc*c", "abc"],
  ["**/app", "a/app/b"],
  ["a/**/z", "a/b"],
  ["a**", "a/b"],
  ["t.am", "team"],
];

Deno.test("parsePattern() covers itself and what is below, one component by *, any number by **", () => {
  assertEquals(COVERED.filter(([pattern, name]) => !parsePattern(pattern).covers(name)), []);
});

Deno.test("parsePattern() covers nothing else", () => {
  assertEquals(FOREIGN.filter(([pattern, name]) => parsePattern(pattern).covers(name)), []);
});

Deno.test("parsePattern() covers what a regular expression of the same meaning covers", () => {
  const component = fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1, maxLength: 4 });
  const glob = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const name = fc.array(fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  }).map((parts) => parts.join("/"));
  fc.assert(
    fc.property(glob, name, (pattern, text) => {
      assertEquals(parsePattern(pattern).covers(text), expressionOf(pattern).test(`${text}/`));
    }),
    { numRuns: 2000 },
  );
});

/** Of names that end in a slash. */
function expressionOf(pattern: string): RegExp {
  if (!pattern.includes("*")) return new RegExp(`^${pattern}/`);
  const parts = pattern.split("/").map((part) =>
    part === "**" ? "(?:[^/]+/)*" : `${part.replaceAll(/\*+/g, "[^/]*")}/`
  );
  return new RegExp(`^${parts.join("")}$`);
}

Deno.test("comparePatterns() puts the longer text before a star first, then fewer stars, then the alphabet", () => {
  const ordered = [
    "team/app",
    "team/app*",
    "team/a*",
    "team/*",
    "team/**",
    "team",
    "tea*/*",
    "*/app",
    "*/b",
    "*/*",
    "**/*",
  ];
  const found = ordered.toReversed().map(parsePattern).toSorted(comparePatterns).map(({ text }) => text);
  assertEquals(found, ordered);
});

Deno.test("parsePattern() takes no time over a pattern of many stars", () => {
  const pattern = parsePattern(`${"**/*a*a*a*a*/".repeat(20)}b`);
  const started = performance.now();
  assertEquals(pattern.covers(`${"aaaaaaaaaaaaaaaaaaaa/".repeat(12)}c`), false);
  assertEquals(performance.now() - started < 200, true);
});
