import { assert, assertEquals, assertThrows } from "../../../tests/support/assert.ts";
import { type Account, Accounts } from "./accounts.ts";
import { parsePasswordHash } from "./password_hash.ts";

const CHEAP = `$2y$05$${"a".repeat(53)}`;
const DEAR = `$2y$12$${"b".repeat(53)}`;

function account(username: string, { id = username, hash = CHEAP } = {}): Account {
  return { id, username, groups: ["team"], hash: parsePasswordHash(hash), source: `identity.${id}` };
}

function stored(username: string, { id = username, hash = CHEAP } = {}) {
  return { id, username, passwordHash: hash, groups: [] };
}

Deno.test("Accounts finds people by their exact user name, whatever that is", () => {
  const accounts = new Accounts([account("ann"), account("__proto__"), account("José")]);
  assertEquals(accounts.find("ann"), account("ann"));
  assertEquals(accounts.find("__proto__"), account("__proto__"));
  for (const unknown of ["Ann", "ann ", "", "constructor", "toString", "Jose\u0301"]) {
    assertEquals(accounts.find(unknown), undefined, unknown);
  }
});

Deno.test("Accounts refuses two of the same user name or id, and names where they are", () => {
  const same = [
    account("ann"),
    account("ann", { id: "b" }),
    account("c", { id: "x" }),
    account("d", { id: "x" }),
  ];
  assertThrows(() => new Accounts(same), {
    message: 'Cannot tell identities apart: the id "x" is that of identity.x and identity.x; ' +
      'the user name "ann" is that of identity.ann and identity.b',
  });
});

Deno.test("Accounts replaces the store's identities, and keeps the configured", () => {
  const accounts = new Accounts([account("ann")]);
  accounts.replaceStored([stored("bob"), stored("eve")]);
  assertEquals(accounts.find("bob")?.id, "bob");
  accounts.replaceStored([stored("eve", { hash: DEAR })]);
  assertEquals(accounts.find("bob"), undefined);
  assertEquals(accounts.find("eve")?.hash?.text, DEAR);
  assertEquals(accounts.find("ann"), account("ann"));
  accounts.replaceStored([]);
  assertEquals(accounts.find("eve"), undefined);
});

Deno.test("Accounts takes the sound identities of the store, and names those that it leaves out", () => {
  const accounts = new Accounts([account("ann")]);
  const list = [
    stored("ann", { id: "impostor" }),
    stored("bob"),
    stored("twin", { id: "1" }),
    stored("twin", { id: "2" }),
    stored("plain", { hash: "hunter2" }),
  ];
  assertThrows(() => accounts.replaceStored(list), (error: Error & { code: string }) => {
    assertEquals(error.code, "failed");
    assertEquals(
      error.message,
      'Cannot take all identities of the store: the stored identity "plain" has a password that cannot be used: ' +
        "expected an argon2id hash ($argon2id$v=19$…) or one of bcrypt ($2y$…); " +
        'the user name "ann" is that of identity.ann and the stored identity "impostor"; ' +
        'the user name "twin" is that of the stored identity "1" and the stored identity "2"',
    );
    return true;
  });
  assertEquals(accounts.find("ann"), account("ann"));
  assertEquals(accounts.find("bob")?.id, "bob");
  for (const left of ["twin", "plain"]) assertEquals(accounts.find(left), undefined, left);
});

Deno.test("Accounts lets nobody of the store in whose id is another's user name, or the other way round", () => {
  const accounts = new Accounts([account("boss", { id: "7" })]);
  const list = [stored("x", { id: "boss" }), stored("7", { id: "y" }), stored("bob")];
  assertThrows(() => accounts.replaceStored(list), {
    message:
      'Cannot take all identities of the store: the stored identity "boss" is called like identity.7; ' +
      'the stored identity "y" is called like identity.7',
  });
  assertEquals([accounts.recall("boss"), accounts.recall("y"), accounts.find("x")], [null, null, undefined]);
  assertEquals([accounts.recall("7")?.identity.username, accounts.find("bob")?.id], ["boss", "bob"]);
});

Deno.test("Accounts recalls an identity by its id, with what changes when its password does", () => {
  const accounts = new Accounts([account("ann")]);
  accounts.replaceStored([stored("bob", { id: "7" })]);
  const before = accounts.recall("7");
  assertEquals(before?.identity, { id: "7", username: "bob", groups: [], claims: {}, provider: null });
  assertEquals(accounts.recall("ann")?.identity.groups, ["team"]);
  accounts.replaceStored([stored("robert", { id: "7" })]);
  assertEquals(accounts.recall("7")?.generation, before?.generation);
  accounts.replaceStored([stored("robert", { id: "7", hash: DEAR })]);
  assert(accounts.recall("7")!.generation !== before!.generation);
  assert(!JSON.stringify(before).includes(CHEAP));
  for (const unknown of ["bob", "8", "__proto__"]) assertEquals(accounts.recall(unknown), null);
});

Deno.test("Accounts has a decoy of the cost that most have, and none where nobody is known", () => {
  const accounts = new Accounts([]);
  const cost = () => accounts.decoy?.cost;
  assertEquals(cost(), undefined);
  accounts.replaceStored([stored("a"), stored("b", { hash: DEAR }), stored("c", { hash: DEAR })]);
  assertEquals(cost(), "bcrypt 12");
  accounts.replaceStored([stored("a")]);
  assertEquals(cost(), "bcrypt 5");
});

Deno.test("Accounts recalls nobody who is disabled, and keeps the name", () => {
  const accounts = new Accounts([account("ann")]);
  accounts.replaceStored([{ ...stored("bob"), disabled: true }]);
  assertEquals([accounts.recall("bob"), accounts.find("bob")?.disabled], [null, true]);
});

Deno.test("Accounts has another generation for another incarnation with the same password", () => {
  const accounts = new Accounts([]);
  const generations = ["1", "2", "1"].map((incarnation) => {
    accounts.replaceStored([{ ...stored("bob"), incarnation }]);
    const recalled = accounts.recall("bob")!;
    assertEquals(recalled.incarnation, incarnation);
    return recalled.generation;
  });
  assert(generations[0] !== generations[1]);
  assertEquals(generations[0], generations[2]);
});

Deno.test("Accounts lists those that are configured", () => {
  const accounts = new Accounts([account("ann", { id: "1" })]);
  accounts.replaceStored([stored("bob")]);
  assertEquals(accounts.listConfigured(), [{ id: "1", username: "ann", groups: ["team"] }]);
});

Deno.test("Accounts knows somebody without a password, who is nobody's decoy", () => {
  const accounts = new Accounts([]);
  accounts.replaceStored([{ id: "bot", username: "bot", groups: [] }]);
  assertEquals(accounts.recall("bot")?.identity.id, "bot");
  assertEquals([accounts.find("bot")?.hash, accounts.decoy], [undefined, undefined]);
});
