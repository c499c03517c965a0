import { assertEquals, assertThrows } from "../../../tests/support/assert.ts";
import { parseHtpasswd } from "./htpasswd.ts";

const BCRYPT = `$2y$05$${"a".repeat(53)}`;
const OTHER = `$2y$05$${"b".repeat(53)}`;

function parse(text: string) {
  return parseHtpasswd(new TextEncoder().encode(text), "users");
}

function user(username: string, source: string, hash = BCRYPT) {
  return {
    id: `htpasswd:${username}`,
    username,
    groups: [],
    source,
    hash: { scheme: "bcrypt", text: hash, cost: "bcrypt 5" },
  };
}

Deno.test("parseHtpasswd() reads a line a user, and passes over empty lines and remarks", () => {
  assertEquals(parse(`# users\n\nann:${BCRYPT}\n  \n#bob:${BCRYPT}\nJosé:${OTHER}\n`), [
    user("ann", "line 3 of users"),
    user("José", "line 6 of users", OTHER),
  ]);
  assertEquals(parse(""), []);
});

Deno.test("parseHtpasswd() reads line ends of Windows, a mark of byte order and spaces at the end", () => {
  assertEquals(parse(`\uFEFFann:${BCRYPT} \r\n__proto__:${OTHER}`), [
    user("ann", "line 1 of users"),
    user("__proto__", "line 2 of users", OTHER),
  ]);
});

Deno.test("parseHtpasswd() refuses a line by its number, and says nothing of what is in it", () => {
  const cannot = "of users has a password that cannot be used: expected an argon2id hash " +
    "($argon2id$v=19$…) or one of bcrypt ($2y$…)";
  const refused: readonly (readonly [text: string, message: string])[] = [
    ["u:$apr1$14hM5JMu$zT6pCT8nd01Huye7D7ZK6.", `line 1 ${cannot}`],
    [`ann:${BCRYPT}\nu:{SHA}UWuXg/ylF+7L0dBk2i0WUxCxl1k=`, `line 2 ${cannot}`],
    ["\n\nu:hunter2", `line 3 ${cannot}`],
    ["u:", `line 1 ${cannot}`],
    [`u:${BCRYPT}:more`, `line 1 ${cannot}`],
    ["hunter2", "line 1 of users is not of the form name:hash"],
    [`:${BCRYPT}`, "line 1 of users is not of the form name:hash"],
    [
      `u:${BCRYPT.replace("$05$", "$17$")}`,
      "line 1 of users has a password that cannot be used: its cost is more than 15",
    ],
  ];
  for (const [text, message] of refused) assertThrows(() => parse(text), { message });
});

Deno.test("parseHtpasswd() refuses what is not UTF-8", () => {
  const bytes = new Uint8Array([0x75, 0xe9, 0x3a]);
  assertThrows(() => parseHtpasswd(bytes, "users"), { message: "users is not UTF-8" });
});
