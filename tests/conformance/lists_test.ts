import { assertEquals } from "../support/assert.ts";
import { type Answer, contentOf, nextOf, startForTests } from "../support/client.ts";

const registry = await startForTests();
const NAMES = ["a", "a-b", "a.b", "a/b", "a0", "math", "math-voila"];
const TAGS = ["0.1.2", "0.1.20", "Latest", "_x", "latest", "v1", "v1-rc", "v1.0"];
for (const name of NAMES) await registry.pushImage(name, "v1");
for (const tag of TAGS) await registry.pushImage("many/tags", tag);

function refused(answer: Answer, status: number, code: string): void {
  assertEquals([answer.status, answer.json().errors[0].code], [status, code]);
}

/** All pages from `path` on: what `member` has in each. */
async function pagesOf(path: string, member: string): Promise<string[][]> {
  const pages: string[][] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const answer = await registry.get(next);
    assertEquals(answer.status, 200);
    pages.push(answer.json()[member]);
    next = nextOf(answer);
  }
  return pages;
}

Deno.test("GET <tags> answers the name and all tags in byte order", async () => {
  const answer = await registry.get("/v2/many/tags/tags/list");
  assertEquals([answer.status, answer.json()], [200, { name: "many/tags", tags: TAGS }]);
  assertEquals([nextOf(answer), answer.headers.get("Content-Type")], [undefined, "application/json"]);
});

for (const count of [1, 2, 3, 7]) {
  Deno.test(`GET <tags>?n=${count} answers pages of exactly that many, in order`, async () => {
    const pages = await pagesOf(`/v2/many/tags/tags/list?n=${count}`, "tags");
    assertEquals(pages.flat(), TAGS);
    assertEquals(pages.slice(0, -1).every((page) => page.length === count), true);
  });
}

Deno.test("GET <tags> answers no Link to the last page, and none to n=0", async () => {
  assertEquals(nextOf(await registry.get(`/v2/many/tags/tags/list?n=${TAGS.length}`)), undefined);
  const none = await registry.get("/v2/many/tags/tags/list?n=0");
  assertEquals([none.status, none.json().tags, none.headers.get("Link")], [200, [], null]);
});

Deno.test("GET <tags>?last= answers what comes after, whether or not it is there, and without n", async () => {
  const after = async (last: string) =>
    (await registry.get(`/v2/many/tags/tags/list?last=${last}`)).json().tags;
  assertEquals(await after("0.1.2"), TAGS.slice(1));
  assertEquals(await after("latest"), TAGS.slice(5));
  assertEquals(await after("m"), TAGS.slice(5));
  assertEquals(await after("zzz"), []);
});

Deno.test("GET <tags> answers 404 for a repository that is not there, and [] for one without tags", async () => {
  refused(await registry.get("/v2/nowhere/tags/list"), 404, "NAME_UNKNOWN");
  refused(await registry.get("/v2/nowhere/tags/list?n=0"), 404, "NAME_UNKNOWN");
  await registry.pushImage("emptied", "v1");
  await registry.send("DELETE", "/v2/emptied/manifests/v1");
  assertEquals((await registry.get("/v2/emptied/tags/list")).json(), { name: "emptied", tags: [] });
});

for (const bad of ["-1", "x", "1e3", "", "1.5", "2&n=3"]) {
  Deno.test(`n=${bad} answers 400 in every list`, async () => {
    const digest = contentOf("x").digest;
    const paths = ["/v2/_catalog", "/v2/many/tags/tags/list", "/v2/tags/list", `/v2/a/referrers/${digest}`];
    for (const path of paths) refused(await registry.get(`${path}?n=${bad}`), 400, "UNSUPPORTED");
  });
}

Deno.test("An n beyond all bounds answers what there is", async () => {
  for (const n of ["1000000000", "9223372036854775808"]) {
    assertEquals((await registry.get(`/v2/many/tags/tags/list?n=${n}`)).json().tags, TAGS);
  }
});

Deno.test("GET <catalog> answers the names in byte order, in pages", async () => {
  const expected = [...NAMES, "emptied", "many/tags"].sort();
  assertEquals((await registry.get("/v2/_catalog")).json(), { repositories: expected });
  for (const count of [1, 3]) {
    assertEquals((await pagesOf(`/v2/_catalog?n=${count}`, "repositories")).flat(), expected);
  }
  assertEquals((await registry.get("/v2/_catalog?n=0")).json(), { repositories: [] });
  assertEquals((await registry.get("/v2/_catalog?last=a0")).json().repositories[0], "emptied");
});

Deno.test("A repository is in the catalog from its first manifest on", async () => {
  await registry.pushBlob("blobs/only", contentOf("x"));
  await registry.startUpload("uploads/only");
  const { repositories } = (await registry.get("/v2/_catalog")).json();
  assertEquals([repositories.includes("blobs/only"), repositories.includes("uploads/only")], [false, false]);
});

Deno.test("GET /v2/tags/list answers all tags of all repositories, in pages", async () => {
  const expected = [...NAMES, "many/tags"].sort().flatMap((name) =>
    name === "many/tags" ? TAGS.map((tag) => `${name}:${tag}`) : [`${name}:v1`]
  );
  assertEquals((await registry.get("/v2/tags/list")).json(), { tags: expected });
  for (const count of [1, 4]) {
    assertEquals((await pagesOf(`/v2/tags/list?n=${count}`, "tags")).flat(), expected);
  }
});
