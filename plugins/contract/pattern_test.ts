import fc from "fast-check";
import { assert, assertEquals } from "../../tests/support/assert.ts";
import { comparePatterns, findPatternProblem, parsePattern } from "./pattern.ts";

interface Row {
  readonly glob: string;
  readonly covers: readonly string[];
  readonly not: readonly string[];
}

const ROWS: readonly Row[] = [
  { glob: "team", covers: ["team", "team/a", "team/a/b"], not: ["tea", "teams", "team-a", "a/team", ""] },
  { glob: "team/app", covers: ["team/app", "team/app/x"], not: ["team", "team/apps", "team/other"] },
  { glob: "*", covers: ["team", "a"], not: ["team/a", "a/b/c"] },
  { glob: "team/*", covers: ["team/a", "team/a-b.c"], not: ["team", "team/a/b", "steam/a"] },
  {
    glob: "team/*-dev",
    covers: ["team/a-dev", "team/-dev"],
    not: ["team/dev", "team/a-dev/b", "team/a-devs"],
  },
  { glob: "*/app", covers: ["a/app", "team/app"], not: ["app", "a/b/app", "a/app/b"] },
  { glob: "a*b*c", covers: ["abc", "axbxc", "abbcc", "abcbc"], not: ["ab", "acb", "abcd", "a/b/c"] },
  { glob: "**", covers: ["a", "a/b", "a/b/c"], not: [] },
  { glob: "team/**", covers: ["team", "team/a", "team/a/b"], not: ["teams", "teams/a", "a/team"] },
  { glob: "**/app", covers: ["app", "a/app", "a/b/app"], not: ["a/apps", "app/a", "aapp"] },
  { glob: "a/**/z", covers: ["a/z", "a/b/z", "a/z/z", "a/b/c/z"], not: ["a", "z", "a/zz", "a/b/z/c"] },
  { glob: "**/x/**", covers: ["x", "a/x", "x/a", "a/x/b", "x/x/x"], not: ["a", "xx", "a/xx/b"] },
  { glob: "**/a/*/b", covers: ["a/x/b", "a/a/a/b", "x/a/b/b"], not: ["a/b", "a/x/y/b", "a/x/b/c"] },
  { glob: "a.c", covers: ["a.c"], not: ["abc", "axc"] },
];

Deno.test("parsePattern() covers", async (t) => {
  for (const { glob, covers, not } of ROWS) {
    const compiled = parsePattern(glob);
    await t.step(`${glob}: ${covers.join(", ")}; not ${not.join(", ")}`, () => {
      for (const name of covers) assertEquals(compiled.covers(name), true, name);
      for (const name of not) assertEquals(compiled.covers(name), false, name);
    });
  }
});

Deno.test("parsePattern() covers what a naive matcher covers", () => {
  const component = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 });
  const globComponent = fc.oneof(
    fc.constant("**"),
    fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1, maxLength: 5 })
      .filter((text) => !text.includes("**")),
  );
  const join = (parts: string[]) => parts.join("/");
  const name = fc.array(component, { minLength: 1, maxLength: 5 }).map(join);
  const glob = fc.array(globComponent, { minLength: 1, maxLength: 5 }).map(join);
  let covered = 0;
  fc.assert(
    fc.property(glob, name, (glob, name) => {
      const expected = coversNaively(glob, name);
      covered += Number(expected);
      assertEquals(parsePattern(glob).covers(name), expected);
    }),
    { numRuns: 20_000 },
  );
  assert(covered > 1_000, `only ${covered} pairs fit`);
});

Deno.test("parsePattern() is quick with many stars", () => {
  const inside = parsePattern(`${"a*".repeat(60)}b`);
  const across = parsePattern(`${"**/a/".repeat(40)}b`);
  const startMs = performance.now();
  assertEquals(inside.covers("a".repeat(255)), false);
  assertEquals(across.covers("a/".repeat(127) + "c"), false);
  assert(performance.now() - startMs < 200);
});

Deno.test("findPatternProblem() finds nothing wrong with what could cover a repository", () => {
  for (const { glob } of ROWS) assertEquals(findPatternProblem(glob), undefined, glob);
  assertEquals(findPatternProblem("a__b/c-d.e"), undefined);
});

Deno.test("findPatternProblem() finds", async (t) => {
  const table: readonly (readonly [glob: string, at: readonly [number, number], message: string])[] = [
    ["", [0, 0], "expected a repository's name or a glob, found nothing"],
    ["/team", [0, 0], "a component between slashes is empty"],
    ["team/", [5, 0], "a component between slashes is empty"],
    ["team//app", [5, 0], "a component between slashes is empty"],
    ["Team", [0, 1], 'no repository\'s name has "T" in it'],
    ["team/a b", [6, 1], 'no repository\'s name has " " in it'],
    ["team/^a", [5, 1], 'no repository\'s name has "^" in it'],
    ["team/[ab]", [5, 1], 'no repository\'s name has "[" in it'],
    ["team/\u{1F511}", [5, 2], 'no repository\'s name has "\u{1F511}" in it'],
    ["team/a**", [6, 2], "** must stand alone between slashes"],
    ["team/***", [5, 2], "** must stand alone between slashes"],
  ];
  for (const [glob, [offset, length], message] of table) {
    await t.step(`${JSON.stringify(glob)}: ${message}`, () => {
      assertEquals(findPatternProblem(glob), { offset, length, message });
    });
  }
});

Deno.test("comparePatterns() puts the more particular first", () => {
  const sorted = [
    "team/app-*",
    "team/app",
    "team/app*",
    "team/a*",
    "team/*",
    "team/**",
    "team",
    "*/app",
    "*",
    "*/*",
  ];
  assertEquals(sorted.toReversed().toSorted(comparePatterns).slice(0, 7), sorted.slice(0, 7));
  assertEquals(["**", "*", "*/app", "a*"].toSorted(comparePatterns), ["a*", "*", "*/app", "**"]);
});

/** The definition, word by word. */
function coversNaively(glob: string, name: string): boolean {
  if (!glob.includes("*")) return name === glob || name.startsWith(`${glob}/`);
  return fitsComponents(glob.split("/"), name.split("/"));
}

function fitsComponents(glob: readonly string[], name: readonly string[]): boolean {
  const [first, ...rest] = glob;
  if (first === undefined) return name.length === 0;
  if (first === "**") return name.concat("").some((_, skipped) => fitsComponents(rest, name.slice(skipped)));
  return name.length > 0 && fitsText(first, name[0]!) && fitsComponents(rest, name.slice(1));
}

function fitsText(glob: string, text: string): boolean {
  if (glob === "") return text === "";
  if (glob[0] !== "*") return text[0] === glob[0] && fitsText(glob.slice(1), text.slice(1));
  return [...text, ""].some((_, skipped) => fitsText(glob.slice(1), text.slice(skipped)));
}
