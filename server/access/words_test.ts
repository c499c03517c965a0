import { assertEquals } from "../../tests/support/assert.ts";
import type { RepositoryName } from "../oci/name.ts";
import { ACTIONS } from "./actions.ts";
import { coverageOfGrants, coverageOfScopes } from "./coverage.ts";
import { parseCredential } from "./credentials.ts";
import { formatScope, parseScopes } from "./scopes.ts";
import { compileTagPatterns } from "./tag_patterns.ts";

const basic = (text: string | Uint8Array) =>
  `Basic ${(typeof text === "string" ? new TextEncoder().encode(text) : text).toBase64()}`;

Deno.test("parseCredential() reads", async (t) => {
  const cases: [name: string, header: string | null, expected: unknown][] = [
    ["no header", null, { scheme: "none" }],
    ["an empty header", "", { scheme: "none" }],
    ["a user name and a password", basic("a:b"), { scheme: "basic", username: "a", password: "b" }],
    ["a password with colons", basic("a:b:c"), { scheme: "basic", username: "a", password: "b:c" }],
    ["empty halves", basic(":"), { scheme: "basic", username: "", password: "" }],
    ["UTF-8", basic("ä:ö🐙"), { scheme: "basic", username: "ä", password: "ö🐙" }],
    ["a scheme in any case", "bAsIc YTpi", { scheme: "basic", username: "a", password: "b" }],
    ["a token", "Bearer a.b.c", { scheme: "bearer", token: "a.b.c" }],
    ["no colon", basic("ab"), undefined],
    ["what is not UTF-8", basic(Uint8Array.of(0xff, 0x3a, 0x61)), undefined],
    ["what is not base64", "Basic ***", undefined],
    ["another scheme", "Digest a", undefined],
    ["a scheme alone", "Basic", undefined],
    ["two tokens", "Bearer a b", undefined],
    ["too much", `Bearer ${"a".repeat(40_000)}`, undefined],
  ];
  for (const [name, header, expected] of cases) {
    await t.step(name, () => assertEquals(parseCredential(header), expected));
  }
});

Deno.test("parseScopes() reads", async (t) => {
  const cases: [text: string, expected: string[]][] = [
    ["repository:a/b:pull", ["repository:a/b:pull"]],
    ["repository:a:pull,push", ["repository:a:pull,push"]],
    ["repository:a:push,pull repository:b:pull", ["repository:a:pull,push", "repository:b:pull"]],
    ["repository:a:pull+repository:b:pull", ["repository:a:pull", "repository:b:pull"]],
    ["repository(plugin):a:pull", ["repository:a:pull"]],
    ["repository:a:*", ["repository:a:pull,push,delete"]],
    ["repository:a:", ["repository:a:"]],
    ["repository:a:steal", ["repository:a:"]],
    ["registry:catalog:*", ["registry:catalog:*"]],
    ["registry:other:*", []],
    ["repository:*:pull", []],
    ["repository:a/../b:pull", []],
    ["repository:A:pull", []],
    ["repository:a%2Fb:pull", []],
    ["", []],
    [":::", []],
  ];
  for (const [text, expected] of cases) {
    await t.step(JSON.stringify(text), () => assertEquals(parseScopes([text]).map(formatScope), expected));
  }
  await t.step("the same resource twice as one", () => {
    assertEquals(parseScopes(["repository:a:pull", "repository:a:push"]).map(formatScope), [
      "repository:a:pull,push",
    ]);
  });
  await t.step("not more than 50", () => {
    assertEquals(
      parseScopes(Array.from({ length: 10_000 }, (_, index) => `repository:r${index}:pull`)).length,
      50,
    );
  });
});

Deno.test("A token covers", async (t) => {
  const name = (text: string) => text as RepositoryName;
  await t.step("of the actions on its repository only those of its verbs, and nothing elsewhere", () => {
    const { covers } = coverageOfGrants(parseScopes(["repository:a:pull"]));
    const covered = ACTIONS.filter((action) => covers(action, name("a")));
    assertEquals(covered, [
      "get-api-version",
      "get-token",
      "get-blob",
      "get-manifest",
      "get-referrers",
      "list-tags",
    ]);
    assertEquals(ACTIONS.filter((action) => covers(action, name("a/b"))), ["get-api-version", "get-token"]);
  });
  await t.step("the catalog where its scope says so", () => {
    const { covers, shows } = coverageOfGrants(parseScopes(["registry:catalog:*"]));
    assertEquals([covers("list-catalog", undefined), shows(name("a")), covers("get-blob", name("a"))], [
      true,
      true,
      false,
    ]);
  });
  await t.step("never an administrative verb", () => {
    const all = coverageOfScopes([{ repositories: "**", actions: ["pull", "push", "delete"] }]);
    assertEquals(
      ACTIONS.filter((action) => action.startsWith("admin.") && all.covers(action, name("a"))),
      [],
    );
  });
  await t.step("what a personal token's patterns cover", () => {
    const { covers, shows } = coverageOfScopes([{ repositories: "team/*", actions: ["pull"] }]);
    assertEquals([covers("get-blob", name("team/a")), covers("put-manifest", name("team/a"))], [true, false]);
    assertEquals([covers("get-blob", name("other")), shows(name("team/a")), shows(name("other"))], [
      false,
      true,
      false,
    ]);
  });
});

Deno.test("compileTagPatterns() takes names as they are, and the rest as expressions", () => {
  const isExcluded = compileTagPatterns(["latest", "^dev-.*", "1.x"]);
  const tags = ["latest", "latest-1", "not-latest", "dev-1", "a-dev-1", "1.x", "1-x", "2.x"];
  assertEquals(tags.filter(isExcluded), ["latest", "dev-1", "1.x", "1-x"]);
});
