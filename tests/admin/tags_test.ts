import { assert, assertEquals } from "../support/assert.ts";
import { contentOf, descriptorOf, OCI_INDEX, OCI_MANIFEST } from "../support/client.ts";
import { pushOwn, testStores, withoutTimes } from "./content_scene.ts";

const TAGS = "/admin/v1/repositories/team/app/_tags";

testStores("Tags are listed, and shown", {}, async ({ as }, t) => {
  const admin = as("admin");
  const one = await pushOwn(admin, "team/app", { text: "1", tag: "v1" });
  const two = await pushOwn(admin, "team/app", { text: "2", tag: "_two.x-y" });
  const manifests = [one, one, two].map(({ manifest }) => descriptorOf(manifest, OCI_MANIFEST));
  const index = contentOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  await admin.putManifest("team/app", "all", index, OCI_INDEX);
  const indexSize = index.bytes.byteLength + one.size + two.size;

  await t.step("with the sizes of their images, of an index that of all it lists, each once", async () => {
    const { tags, ...rest } = (await admin.get(TAGS)).json();
    assertEquals(rest, {});
    assertEquals(tags.map(withoutTimes), [
      { tag: "_two.x-y", digest: two.manifest.digest, media_type: OCI_MANIFEST, size: two.size },
      { tag: "all", digest: index.digest, media_type: OCI_INDEX, size: indexSize },
      { tag: "v1", digest: one.manifest.digest, media_type: OCI_MANIFEST, size: one.size },
    ]);
  });
  await t.step("in pages", async () => {
    const first = (await admin.get(`${TAGS}?n=2`)).json();
    assertEquals([first.tags.length, first.next], [2, "all"]);
    const { tags, ...rest } = (await admin.get(`${TAGS}?n=2&last=${first.next}`)).json();
    assertEquals([tags.length, tags[0].tag, rest], [1, "v1", {}]);
  });
  await t.step("with their last pulls", async () => {
    assertEquals("last_pulled_at" in (await admin.get(`${TAGS}/v1`)).json(), false);
    await admin.get("/v2/team/app/manifests/v1");
    const tag = (await admin.get(`${TAGS}/v1`)).json();
    assert("last_pulled_at" in tag && "pushed_at" in tag);
    const { digest } = one.manifest;
    assertEquals(withoutTimes(tag), { tag: "v1", digest, media_type: OCI_MANIFEST, size: one.size });
  });
  await t.step("not those that are not there, or cannot be", async () => {
    for (const path of ["none", "none/history", "%1b%5b31m", "-x", "a%2fb", `${"x".repeat(129)}`]) {
      for (const method of path.endsWith("history") ? ["GET"] : ["GET", "DELETE"]) {
        const answer = await admin.send(method, `${TAGS}/${path}`);
        const facts = [answer.status, answer.json().errors[0].code];
        assertEquals(facts, [404, "MANIFEST_UNKNOWN"], `${method} ${path}`);
      }
    }
  });
  await t.step("and deleted, each alone", async () => {
    assertEquals((await admin.send("DELETE", `${TAGS}/v1`)).status, 204);
    assertEquals((await admin.send("DELETE", `${TAGS}/v1`)).status, 404);
    assertEquals((await admin.get(`/v2/team/app/manifests/${one.manifest.digest}`)).status, 200);
    assertEquals((await admin.get("/v2/team/app/tags/list")).json().tags, ["_two.x-y", "all"]);
  });
});

testStores(
  "The history of a tag says what it pointed to, since when, and whose doing it was",
  {},
  async (scene) => {
    const [admin, writer] = [scene.as("admin"), scene.as("writer")];
    const historyOf = async (tag: string) => {
      const { history } = (await admin.get(`${TAGS}/${tag}/history`)).json();
      const times = history.map(({ set_at }: { set_at: string }) => set_at);
      assertEquals(times, times.toSorted().toReversed());
      return history.map(withoutTimes);
    };
    const one = (await pushOwn(writer, "team/app", { text: "1", tag: "v1" })).manifest;
    const two = (await pushOwn(admin, "team/app", { text: "2", tag: "v1" })).manifest;
    await pushOwn(writer, "team/app", { text: "2", tag: "v1" });
    const first = [{ digest: two.digest, by: "admin" }, { digest: one.digest, by: "writer" }];
    assertEquals(await historyOf("v1"), first);

    await admin.send("DELETE", `${TAGS}/v1`);
    const second = [{ digest: two.digest, deleted: true, by: "admin" }, ...first];
    assertEquals(await historyOf("v1"), second);

    await writer.putManifest("team/app", `${one.digest}?tag=v1&tag=v2`, one);
    const third = [{ digest: one.digest, by: "writer" }, ...second];
    assertEquals([await historyOf("v1"), await historyOf("v2")], [third, third.slice(0, 1)]);

    await admin.send("DELETE", `/v2/team/app/manifests/${one.digest}`);
    assertEquals(await historyOf("v1"), [{ digest: one.digest, deleted: true, by: "admin" }, ...third]);
  },
);

testStores("The history of a tag ends a hundred changes ago", {}, async ({ as }) => {
  const admin = as("admin");
  const digests: string[] = [];
  for (let round = 0; round < 105; round++) {
    const changes = { annotations: { round: `${round}` } };
    digests.unshift((await pushOwn(admin, "team/app", { text: "1", tag: "v1", changes })).manifest.digest);
  }
  const { history } = (await admin.get(`${TAGS}/v1/history`)).json();
  assertEquals(history.map(({ digest }: { digest: string }) => digest), digests.slice(0, 100));
});
