/** What a page of tags that is asked for again and again costs over a real S3 server. */

import { createRegistry } from "../../server/registry/registry.ts";
import { OCI_IMAGE_INDEX } from "../../server/oci/media_type.ts";
import { parseRepositoryName } from "../../server/oci/name.ts";
import { parseTag } from "../../server/oci/reference.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { FaultyProxy } from "../support/faulty_proxy.ts";
import { hasProgram } from "../support/programs.ts";
import { S3_PROGRAM, startS3 } from "../support/s3_server.ts";
import { openS3 } from "../support/s3_store.ts";

const NAME = parseRepositoryName("library/app");
const PAGE = { limit: 100 };
/** Far longer than a stamp takes to settle. */
const DEADLINE_MS = 60_000;

Deno.test({
  name: "A page of tags that is asked for again costs a look at its repository's stamp (versitygw)",
  ignore: !hasProgram(S3_PROGRAM),
  fn: async (t) => {
    await using s3 = await startS3();
    await using store = new FaultyProxy(s3.endpoint);
    const writer = await createRegistry(await openS3(s3), { openUploadsMax: 10 });
    const { tags } = await createRegistry(await openS3({ ...s3, endpoint: store.endpoint }), {
      openUploadsMax: 10,
    });
    const push = (tag: string) =>
      writer.manifests.put(NAME, {
        bytes: new TextEncoder().encode('{"schemaVersion":2,"manifests":[]}'),
        tags: [parseTag(tag, "MANIFEST_INVALID")],
        contentType: OCI_IMAGE_INDEX,
      });
    /** Asks for the page; answers its tags, and what that cost. */
    const list = async () => {
      store.forget();
      const { entries } = await tags.list(NAME, PAGE);
      return [entries as readonly string[], store.counts()] as const;
    };
    await push("v1");

    await t.step("a list at first, and again until the stamp has settled; then the look alone", async () => {
      const deadlineMs = performance.now() + DEADLINE_MS;
      let looks = 0;
      for (let cost = {}; !("HeadObject" in cost) || "ListObjectsV2" in cost;) {
        let found: readonly string[];
        [found, cost] = await list();
        assertEquals(found, ["v1"]);
        if ("HeadObject" in cost) looks++;
        assert(performance.now() < deadlineMs, `no page was remembered: ${JSON.stringify(cost)}`);
      }
      assert(looks <= 5, `the stamp was looked at ${looks} times`);
      assertEquals(await list(), [["v1"], { HeadObject: 1 }]);
    });

    await t.step("what another server pushes or deletes is seen at once", async () => {
      await push("v2");
      assertEquals((await list())[0], ["v1", "v2"]);
      await writer.tags.delete(NAME, parseTag("v1", "MANIFEST_INVALID"));
      assertEquals((await list())[0], ["v2"]);
      await writer.repositories.delete(NAME, {});
      assertEquals((await list())[0], []);
    });
  },
});
