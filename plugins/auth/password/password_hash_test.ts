// Puts the package into the module graph, so that its files are there.
import { assert, assertEquals, assertThrows } from "../../../tests/support/assert.ts";
import { hashArgon2id, hashBcrypt } from "../../../tests/password/hashes.ts";
import { findPasswordProblem, PASSWORD_BYTES_MAX } from "@sreg/contract/password.ts";
import { hashPassword, parsePasswordHash, passwordBytes, verifyPassword } from "./password_hash.ts";

const BCRYPT_END = "a".repeat(53);
const SALT = "c2FsdCBvZiBzaXh0ZWVuIQ";
const TAG = "A".repeat(43);

function argon2id(parameters: string, { salt = SALT, tag = TAG } = {}): string {
  return `$argon2id$v=19$${parameters}$${salt}$${tag}`;
}

Deno.test("parsePasswordHash() tells what checking takes, for either scheme", () => {
  const accepted: readonly (readonly [text: string, scheme: string, cost: string])[] = [
    [argon2id("m=19456,t=2,p=1"), "argon2id", "argon2id m=19456,t=2,p=1"],
    [argon2id("m=65536,t=3,p=4"), "argon2id", "argon2id m=65536,t=3,p=4"],
    [argon2id("m=262144,t=4,p=1"), "argon2id", "argon2id m=262144,t=4,p=1"],
    [argon2id("m=128,t=16,p=16"), "argon2id", "argon2id m=128,t=16,p=16"],
    [`$2a$04$${BCRYPT_END}`, "bcrypt", "bcrypt 4"],
    [`$2b$10$${BCRYPT_END}`, "bcrypt", "bcrypt 10"],
    [`$2y$15$${BCRYPT_END}`, "bcrypt", "bcrypt 15"],
  ];
  for (const [text, scheme, cost] of accepted) {
    assertEquals(parsePasswordHash(text), { scheme, text, cost });
  }
});

const UNKNOWN = "expected an argon2id hash ($argon2id$v=19$…) or one of bcrypt ($2y$…)";

const REFUSED: readonly (readonly [text: string, because: string])[] = [
  ["", UNKNOWN],
  ["a password that is no hash", UNKNOWN],
  ["$apr1$14hM5JMu$zT6pCT8nd01Huye7D7ZK6.", UNKNOWN],
  ["{SHA}UWuXg/ylF+7L0dBk2i0WUxCxl1k=", UNKNOWN],
  ["Qr4aBCYL0qkZY", UNKNOWN],
  ["$6$rvIQlenk2CCOEcxE$EcmYm3b1QNlmYg7nXB2ZinsUmx2lG", UNKNOWN],
  [argon2id("m=65536,t=3,p=4").replace("argon2id", "argon2i"), UNKNOWN],
  [argon2id("m=65536,t=3,p=4").replace("v=19", "v=16"), UNKNOWN],
  [argon2id("t=3,m=65536,p=4"), UNKNOWN],
  [argon2id("m=065536,t=3,p=4"), UNKNOWN],
  [argon2id("m=65536,t=0,p=4"), UNKNOWN],
  [argon2id("m=65536,t=3,p=4") + "\n", UNKNOWN],
  [argon2id("m=65536,t=3,p=4") + "\0", UNKNOWN],
  [`$2x$10$${BCRYPT_END}`, UNKNOWN],
  [`$2y$03$${BCRYPT_END}`, UNKNOWN],
  [`$2y$10$${BCRYPT_END}a`, UNKNOWN],
  [`$2y$10$${BCRYPT_END.slice(1)}`, UNKNOWN],
  [`$2y$16$${BCRYPT_END}`, "its cost is more than 15"],
  [`$2y$31$${BCRYPT_END}`, "its cost is more than 15"],
  [argon2id("m=262145,t=1,p=1"), "its memory (m) is more than 256 MiB"],
  [argon2id("m=4294967295,t=1,p=1"), "its memory (m) is more than 256 MiB"],
  [argon2id("m=31,t=1,p=4"), "its memory (m) is less than 8 KiB for each lane (p)"],
  [argon2id("m=1024,t=17,p=1"), "its passes (t) are more than 16"],
  [argon2id("m=1024,t=1,p=17"), "its lanes (p) are more than 16"],
  [argon2id("m=262144,t=5,p=1"), "its memory times its passes (m × t) is more than 1 GiB"],
  [argon2id("m=1024,t=1,p=1", { salt: "c2FsdA" }), "its salt is not of 8 to 64 bytes in base64"],
  [
    argon2id("m=1024,t=1,p=1", { salt: `${SALT.slice(0, -1)}R` }),
    "its salt is not of 8 to 64 bytes in base64",
  ],
  [argon2id("m=1024,t=1,p=1", { tag: "A".repeat(20) }), "its end is not of 16 to 64 bytes in base64"],
  [argon2id("m=1024,t=1,p=1", { tag: "A".repeat(45) }), "its end is not of 16 to 64 bytes in base64"],
];

Deno.test("parsePasswordHash() refuses", async (t) => {
  for (const [text, message] of REFUSED) {
    await t.step(`${JSON.stringify(text).slice(0, 44)}, ${message}`, () => {
      assertThrows(() => parsePasswordHash(text), { name: "RangeError", message });
    });
  }
});

const PASSWORDS = ["secret", "with:colons:", "pässwörd \u{1F511} 密码", " ", "\x07", "a".repeat(72)];

Deno.test("verifyPassword() knows the right password from a wrong one", async (t) => {
  for (const [scheme, make] of Object.entries({ argon2id: hashArgon2id, bcrypt: hashBcrypt })) {
    for (const password of PASSWORDS) {
      await t.step(`${scheme}: ${JSON.stringify(password).slice(0, 30)}`, async () => {
        const hash = parsePasswordHash(await make(password));
        assertEquals(await verifyPassword(hash, passwordBytes(password)!), true);
        for (const wrong of [password.slice(0, -1) + "?", `x${password}`, password.toUpperCase() + "!"]) {
          assertEquals(await verifyPassword(hash, passwordBytes(wrong)!), false, wrong);
        }
      });
    }
  }
});

Deno.test("verifyPassword() checks argon2id of any cost, one after another", async () => {
  for (
    const cost of [
      { memoryKib: 19_456, passes: 2 },
      { memoryKib: 8, passes: 16 },
      { memoryKib: 65_536, passes: 3, lanes: 4 },
      { memoryKib: 130, lanes: 16 },
      { memoryKib: 101, passes: 3, lanes: 3 },
    ]
  ) {
    const hash = parsePasswordHash(await hashArgon2id("secret", cost));
    assertEquals(await verifyPassword(hash, passwordBytes("secret")!), true, hash.cost);
    assertEquals(await verifyPassword(hash, passwordBytes("Secret")!), false, hash.cost);
  }
});

Deno.test("verifyPassword() looks at all of a long password with argon2id", async () => {
  const long = "é".repeat(PASSWORD_BYTES_MAX / 2);
  const hash = parsePasswordHash(await hashArgon2id(long));
  assertEquals(await verifyPassword(hash, passwordBytes(long)!), true);
  assertEquals(await verifyPassword(hash, passwordBytes(`${long.slice(0, -1)}è`)!), false);
});

Deno.test("verifyPassword() looks at 72 bytes of a password with bcrypt, as htpasswd does", async () => {
  const hash = parsePasswordHash(await hashBcrypt("a".repeat(72)));
  assertEquals(await verifyPassword(hash, passwordBytes("a".repeat(80))!), true);
  assertEquals(await verifyPassword(hash, passwordBytes("a".repeat(71))!), false);
});

Deno.test("verifyPassword() holds bcrypt's $2a$, $2b$ and $2y$ for the same", async () => {
  const text = await hashBcrypt("pässword");
  for (const prefix of ["$2a$", "$2b$", "$2y$"]) {
    const hash = parsePasswordHash(prefix + text.slice(4));
    assertEquals(await verifyPassword(hash, passwordBytes("pässword")!), true, prefix);
  }
});

Deno.test("passwordBytes() has nothing of a password that is never right", () => {
  const never = [
    "",
    "secret\0",
    "\0",
    "a".repeat(PASSWORD_BYTES_MAX + 1),
    "é".repeat(PASSWORD_BYTES_MAX / 2 + 1),
  ];
  for (const password of [...never, "a".repeat(1024 * 1024)]) {
    assertEquals(passwordBytes(password), undefined);
  }
  assertEquals(passwordBytes("a".repeat(PASSWORD_BYTES_MAX))?.length, PASSWORD_BYTES_MAX);
});

Deno.test("hashPassword() makes hashes that only their password fits, each with a salt of its own", async () => {
  const texts = [await hashPassword("pässword"), await hashPassword("pässword")];
  assert(texts[0] !== texts[1]);
  for (const text of texts) {
    const hash = parsePasswordHash(text);
    assertEquals(hash.cost, "argon2id m=19456,t=2,p=1");
    assertEquals(await verifyPassword(hash, passwordBytes("pässword")!), true);
    assertEquals(await verifyPassword(hash, passwordBytes("password")!), false);
  }
});

Deno.test("findPasswordProblem() says why a text cannot be a new password", () => {
  const refused: readonly (readonly [password: string, problem: string])[] = [
    ["", "expected at least 8 characters"],
    ["seven77", "expected at least 8 characters"],
    ["🔑🔑🔑🔑🔑🔑🔑", "expected at least 8 characters"],
    ["é".repeat(PASSWORD_BYTES_MAX / 2 + 1), "expected at most 4096 bytes"],
    ["password\ud800", "it is not Unicode"],
    ["password\0", "it has a NUL in it"],
  ];
  for (const [password, problem] of refused) assertEquals(findPasswordProblem(password), problem);
  for (const good of ["12345678", "é".repeat(PASSWORD_BYTES_MAX / 2), "🔑".repeat(8), "  $(rm -rf)  "]) {
    assertEquals(findPasswordProblem(good), undefined);
  }
});
