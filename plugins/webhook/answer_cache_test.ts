import { assert, assertEquals } from "../../tests/support/assert.ts";
import { AnswerCache } from "./answer_cache.ts";

const ROOM = { bytesMax: 10_000 };

Deno.test("AnswerCache answers until the time that was said, and for how long still", () => {
  const cache = new AnswerCache<string>(ROOM);
  cache.set("a", { answer: "yes", untilMs: 1_000, bytes: 3 });
  assertEquals(cache.get("a", 400), { answer: "yes", holdsMs: 600 });
  assertEquals(cache.get("a", 999), { answer: "yes", holdsMs: 1 });
  assertEquals(cache.get("a", 1_000), undefined);
  assertEquals(cache.get("b", 400), undefined);
});

Deno.test("AnswerCache keeps the last answer to a question", () => {
  const cache = new AnswerCache<string>(ROOM);
  cache.set("a", { answer: "yes", untilMs: 1_000, bytes: 3 });
  cache.set("a", { answer: "no", untilMs: 500, bytes: 2 });
  assertEquals(cache.get("a", 0), { answer: "no", holdsMs: 500 });
});

Deno.test("AnswerCache forgets the oldest answers when there is no more room", () => {
  const cache = new AnswerCache<number>(ROOM);
  for (let answer = 0; answer < 5; answer++) {
    cache.set(`${answer}`, { answer, untilMs: 1_000, bytes: 2_500 });
  }
  const kept = [0, 1, 2, 3, 4].map((answer) => cache.get(`${answer}`, 0)?.answer);
  assertEquals(kept, [undefined, undefined, 2, 3, 4]);
});

Deno.test("AnswerCache has room again for what was replaced, has ended, or is too large", () => {
  const cache = new AnswerCache<string>(ROOM);
  cache.set("kept", { answer: "yes", untilMs: 10_000, bytes: 0 });
  for (let turn = 0; turn < 100; turn++) {
    cache.set("replaced", { answer: "yes", untilMs: 10_000, bytes: 4_000 });
    cache.set(`ended ${turn}`, { answer: "yes", untilMs: 1_000, bytes: 4_000 });
    assertEquals(cache.get(`ended ${turn}`, 1_000), undefined);
  }
  assertEquals(cache.get("kept", 0)?.answer, "yes");
  cache.set("large", { answer: "yes", untilMs: 1_000, bytes: 20_000 });
  assertEquals(cache.get("large", 0), undefined);
  cache.set("small", { answer: "yes", untilMs: 1_000, bytes: 1 });
  assertEquals(cache.get("small", 0)?.answer, "yes");
});

Deno.test("AnswerCache keeps answers under keys that tell no password, and that no other process has", () => {
  const [one, other] = [new AnswerCache<string>(ROOM), new AnswerCache<string>(ROOM)];
  const question = { username: "ada", password: "pass" };
  assertEquals(one.keyOf(question), one.keyOf({ ...question }));
  assert(one.keyOf(question) !== one.keyOf({ ...question, password: "Pass" }));
  assert(one.keyOf(question) !== other.keyOf(question));
  assertEquals(/^[A-Za-z0-9+/]{43}=$/.test(one.keyOf(question)), true);
});
