import { assert, assertEquals } from "../support/assert.ts";
import { contentOf, descriptorOf, OCI_INDEX, OCI_MANIFEST } from "../support/client.ts";
import { pushOwn, testStores, withoutTimes } from "./content_scene.ts";

const BASE = "/admin/v1/repositories";

testStores("Repositories are listed", {}, async ({ as }, t) => {
  const admin = as("admin");
  await pushOwn(admin, "team/app", { text: "1", tag: "v1" });
  await pushOwn(admin, "team/app", { text: "1", tag: "v1.1" });
  await pushOwn(admin, "team/app", { text: "2" });
  await pushOwn(admin, "team/app/x_tags", { text: "3", tag: "v1" });
  await pushOwn(admin, "a_b/c-d.e__f", { text: "1", tag: "latest" });
  await pushOwn(admin, "secret/app", { text: "1", tag: "v1" });
  const list = async (query = "") => (await admin.get(`${BASE}${query}`)).json();

  await t.step("in byte order, with their counts", async () => {
    const { repositories, ...rest } = await list();
    assertEquals(rest, {});
    assertEquals(repositories.map(withoutTimes), [
      { name: "a_b/c-d.e__f", tags: 1, manifests: 1 },
      { name: "secret/app", tags: 1, manifests: 1 },
      { name: "team/app", tags: 2, manifests: 2 },
      { name: "team/app/x_tags", tags: 1, manifests: 1 },
    ]);
    assert("last_pushed_at" in repositories[0]);
  });
  await t.step("in pages", async () => {
    const names: string[][] = [];
    for (let next: string | undefined = ""; next !== undefined;) {
      const page: { repositories: { name: string }[]; next?: string } = await list(
        `?n=3&last=${encodeURIComponent(next)}`,
      );
      names.push(page.repositories.map(({ name }) => name));
      next = page.next;
    }
    assertEquals(names, [["a_b/c-d.e__f", "secret/app", "team/app"], ["team/app/x_tags"]]);
  });
  await t.step("those with a text in their names", async () => {
    const { repositories } = await list("?filter=app");
    assertEquals(repositories.map(({ name }: { name: string }) => name), [
      "secret/app",
      "team/app",
      "team/app/x_tags",
    ]);
    assertEquals(await list("?filter=none-such"), { repositories: [] });
  });
});

testStores("A repository is shown", {}, async ({ as }, t) => {
  const admin = as("admin");
  const one = await pushOwn(admin, "team/app", { text: "1", tag: "v1" });
  await pushOwn(admin, "team/app", { text: "1", tag: "v1.1" });
  await pushOwn(admin, "team/app", { text: "2" });
  await pushOwn(admin, "a_b/c", { text: "1", tag: "latest" });

  await t.step("one, with what its manifests refer to, each blob once", async () => {
    await admin.get("/v2/team/app/manifests/v1");
    await admin.pushBlob("team/app", contentOf("that no manifest refers to"));
    const shown = (await admin.get(`${BASE}/team/app`)).json();
    const blobs = ["config 1", "layer 1", "config 2", "layer 2"].map((text) => contentOf(text).bytes);
    assert("last_pushed_at" in shown && "last_pulled_at" in shown);
    assertEquals(withoutTimes(shown), {
      name: "team/app",
      tags: 2,
      manifests: 2,
      blobs: 4,
      bytes: blobs.reduce((sum, { byteLength }) => sum + byteLength, 0),
      rules: { immutable_tags: false, deletes: true },
    });
  });
  await t.step("one whose last manifest was deleted is there without any", async () => {
    await admin.send("DELETE", `/v2/a_b/c/manifests/${one.manifest.digest}`);
    const shown = (await admin.get(`${BASE}/a_b/c`)).json();
    const rules = { immutable_tags: false, deletes: true };
    assertEquals(shown, { name: "a_b/c", tags: 0, manifests: 0, blobs: 0, bytes: 0, rules });
  });
  await t.step("not one that does not exist", async () => {
    for (
      const [method, path] of [["GET", "team/none"], ["DELETE", "team/none"], ["GET", "team/none/_tags"]]
    ) {
      const answer = await admin.send(method!, `${BASE}/${path}`);
      assertEquals([answer.status, answer.json().errors[0].code], [404, "NAME_UNKNOWN"]);
    }
    assertEquals((await admin.get(`${BASE}/team/_none`)).json().errors[0].code, "NAME_INVALID");
  });
});

const WARDEN = `[role.warden]
verbs = ["admin.list-repositories", "admin.list-uploads", "admin.get-usage", "list-tags", "admin.get-repository"]
repositories = ["team"]
[role.counter]
verbs = ["admin.list-repositories", "admin.list-uploads", "admin.get-usage"]
repositories = ["**"]
[[binding]]
role = "warden"
users = ["reader"]
[[binding]]
role = "counter"
users = ["reader"]
`;

testStores(
  "Who may not see a repository does not find it in any list",
  { config: WARDEN },
  async ({ as }) => {
    const [admin, warden] = [as("admin"), as("reader")];
    await pushOwn(admin, "team/app", { text: "shared", tag: "v1" });
    await pushOwn(admin, "secret/app", { text: "shared", tag: "v1" });
    for (const name of ["team/app", "secret/app"]) await admin.startUpload(name);
    const namesOf = async (path: string, list: string, member: string) =>
      (await warden.get(`/admin/v1/${path}`)).json()[list].map((item: Record<string, string>) =>
        item[member]
      );
    assertEquals(await namesOf("repositories", "repositories", "name"), ["team/app"]);
    assertEquals(await namesOf("repositories?filter=app", "repositories", "name"), ["team/app"]);
    assertEquals(await namesOf("uploads", "uploads", "repository"), ["team/app"]);
    assertEquals(await namesOf("usage", "repositories", "name"), ["team/app"]);
    const hidden = await warden.get("/admin/v1/uploads?repository=secret/app");
    const absent = await warden.get("/admin/v1/uploads?repository=secret/none");
    assertEquals([hidden.status, hidden.text], [absent.status, absent.text]);
    assertEquals((await warden.get("/admin/v1/repositories/team/app")).status, 200);
    const refused = await Promise.all(
      ["secret/app", "secret/none"].map((name) => warden.get(`/admin/v1/repositories/${name}`)),
    );
    assertEquals(refused[0]!.text, refused[1]!.text);
    assertEquals(refused[0]!.status, 403);
  },
);

testStores("A repository is deleted with all that is in it", {}, async ({ as }, t) => {
  const admin = as("admin");
  const image = await pushOwn(admin, "team/app", { text: "1", tag: "v1" });
  await pushOwn(admin, "team/app", { text: "2", tag: "v2" });
  const index = contentOf({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [descriptorOf(image.manifest, OCI_MANIFEST)],
  });
  await admin.putManifest("team/app", "all", index, OCI_INDEX);
  await admin.pushBlob("team/app", contentOf("alone"));
  await pushOwn(admin, "team/app/sub", { text: "1", tag: "v1" });
  await as("writer").startUpload("team/app");
  const deleted = { manifests: 3, tags: 3, blobs: 5, uploads: 1 };

  await t.step("only told, where it is a dry run", async () => {
    const answer = await admin.send("DELETE", `${BASE}/team/app?dry_run=true`);
    assertEquals([answer.status, answer.json()], [200, { deleted, dry_run: true }]);
    assertEquals((await admin.get("/v2/team/app/manifests/all")).status, 200);
    assertEquals((await admin.send("DELETE", `${BASE}/team/app?dry_run=yes`)).status, 400);
    assertEquals((await admin.send("DELETE", `${BASE}/team/app?dry_run=true&dry_run=false`)).status, 400);
  });
  await t.step("in earnest", async () => {
    const answer = await admin.send("DELETE", `${BASE}/team/app`);
    assertEquals([answer.status, answer.json()], [200, { deleted, dry_run: false }]);
    const gone = ["v2/team/app/tags/list", `v2/team/app/manifests/${image.manifest.digest}`].map((path) =>
      `/${path}`
    );
    for (const path of [...gone, `${BASE}/team/app`, `${BASE}/team/app/_tags/v1/history`]) {
      assertEquals((await admin.get(path)).status, 404, path);
    }
    assertEquals((await admin.get("/admin/v1/uploads")).json(), { uploads: [] });
    assertEquals((await admin.get("/v2/_catalog")).json(), { repositories: ["team/app/sub"] });
    assertEquals((await admin.get("/v2/team/app/sub/manifests/v1")).status, 200);
    assertEquals((await admin.send("DELETE", `${BASE}/team/app`)).status, 404);
  });
  await t.step("and comes back with the next push", async () => {
    await pushOwn(admin, "team/app", { text: "1", tag: "v1" });
    assertEquals((await admin.get("/v2/team/app/tags/list")).json(), { name: "team/app", tags: ["v1"] });
    const { history } = (await admin.get(`${BASE}/team/app/_tags/v1/history`)).json();
    assertEquals(history.length, 1);
  });
});

const RULES = `[repository."team/kept"]
immutable_tags = true
immutable_tags_exclusions = ["^latest$"]
[repository."team/all"]
deletes = false
`;

testStores("A repository that the operator keeps is not deleted", { config: RULES }, async ({ as }) => {
  const admin = as("admin");
  for (const tag of ["v1", "latest"]) await pushOwn(admin, "team/kept", { text: tag, tag });
  await pushOwn(admin, "team/all", { text: "1", tag: "v1" });
  const refusalOf = async (path: string) => {
    const answer = await admin.send("DELETE", `${BASE}/${path}`);
    const { code, detail } = answer.json().errors[0];
    return [answer.status, code, detail];
  };
  for (const dryRun of [false, true]) {
    const query = `?dry_run=${dryRun}`;
    assertEquals(await refusalOf(`team/kept${query}`), [409, "DENIED", { immutable_tags: ["v1"] }]);
    assertEquals(await refusalOf(`team/all${query}`), [409, "DENIED", { deletes: false }]);
  }
  assertEquals((await refusalOf("team/kept/_tags/v1")).slice(0, 2), [403, "DENIED"]);
  assertEquals((await admin.get("/v2/team/kept/tags/list")).json().tags, ["latest", "v1"]);
  assertEquals((await admin.get(`${BASE}/team/all`)).json().rules, { immutable_tags: false, deletes: false });
  assertEquals((await admin.send("DELETE", `${BASE}/team/kept/_tags/latest`)).status, 204);
});
