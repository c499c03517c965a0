import type { JsonObject } from "@sreg/contract/identity.ts";
import { assertEquals, assertThrows } from "../../../tests/support/assert.ts";
import { claimAt, type ClaimNames, readIdentity } from "./claims.ts";

const CLAIMS: JsonObject = {
  sub: "7",
  "https://id.example/groups": ["a"],
  "kubernetes.io": { namespace: "web", "pod.spec": { name: "x" } },
  kubernetes: { io: { namespace: "false friend" } },
  realm_access: { roles: ["b"] },
  list: [{ name: "c" }],
  none: null,
};

const PATHS: readonly (readonly [path: string, found: unknown])[] = [
  ["sub", "7"],
  ["https://id.example/groups", ["a"]],
  ["realm_access.roles", ["b"]],
  ["kubernetes.io.namespace", "web"],
  ["kubernetes.io.pod.spec.name", "x"],
  ["none", null],
  ["none.x", undefined],
  ["sub.length", undefined],
  ["list.0.name", undefined],
  ["constructor", undefined],
  ["realm_access.constructor.name", undefined],
  ["realm_access.", undefined],
  [".sub", undefined],
  ["", undefined],
];

for (const [path, found] of PATHS) {
  Deno.test(`claimAt() finds ${JSON.stringify(found)} at "${path}"`, () => {
    assertEquals(claimAt(CLAIMS, path), found);
  });
}

const NAMES: ClaimNames = { id: "sub", username: ["preferred_username", "email", "sub"], groups: "groups" };

const IDENTITIES: readonly (readonly [claims: JsonObject, username: string, groups: readonly string[]])[] = [
  [{ preferred_username: "ann", email: "a@x.example" }, "ann", []],
  [{ preferred_username: "", email: "a@x.example" }, "a@x.example", []],
  [{ email: "a@x.example", email_verified: true }, "a@x.example", []],
  [{ email: "a@x.example", email_verified: false }, "7", []],
  [{ email: "a@x.example", email_verified: "false" }, "7", []],
  [{ groups: "one" }, "7", ["one"]],
  [{ groups: ["one", "two"] }, "7", ["one", "two"]],
  [{ groups: null }, "7", []],
];

for (const [claims, username, groups] of IDENTITIES) {
  Deno.test(`readIdentity() of ${JSON.stringify(claims)} is ${username} in ${groups.length} groups`, () => {
    assertEquals(readIdentity({ sub: "7", ...claims }, NAMES), { id: "7", username, groups });
  });
}

Deno.test("readIdentity() refuses a token without the claim that was named for the username", () => {
  assertThrows(() => readIdentity({ sub: "7" }, { ...NAMES, username: ["login"] }), {
    name: "TokenRefusal",
    message: 'it has no claim "login" for a username',
  });
});

Deno.test("readIdentity() refuses names that are too long to be kept", () => {
  assertThrows(() => readIdentity({ sub: "7".repeat(1_025) }, NAMES), {
    name: "TokenRefusal",
    message: 'its claim "sub" is longer than 1024 characters',
  });
});
