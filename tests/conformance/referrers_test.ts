import { assertEquals } from "../support/assert.ts";
import {
  type Answer,
  type Content,
  contentOf,
  descriptorOf,
  imageOf,
  nextOf,
  OCI_INDEX,
  OCI_MANIFEST,
  startForTests,
} from "../support/client.ts";

const registry = await startForTests();
const SUBJECT = await registry.pushImage("ref", "subject");
const TYPES = ["application/vnd.example.sbom.v1+json", "application/vnd.example.signature"];

async function pushReferrer(artifactType: string | undefined, note: string): Promise<Content> {
  const config = await registry.pushBlob("ref", contentOf("{}"));
  const referrer = imageOf(config, [], {
    ...(artifactType !== undefined && { artifactType }),
    subject: descriptorOf(SUBJECT, OCI_MANIFEST),
    annotations: { note },
  });
  const answer = await registry.putManifest("ref", referrer.digest, referrer);
  assertEquals([answer.status, answer.headers.get("OCI-Subject")], [201, SUBJECT.digest]);
  return referrer;
}

const REFERRERS = [
  await pushReferrer(TYPES[0], "sbom"),
  await pushReferrer(TYPES[1], "signature"),
  await pushReferrer(undefined, "by its config"),
];

function referrersOf(digest: string, query = ""): Promise<Answer> {
  return registry.get(`/v2/ref/referrers/${digest}${query}`);
}

Deno.test("GET <referrers> answers an index of descriptors with type and annotations", async () => {
  const answer = await referrersOf(SUBJECT.digest);
  assertEquals([answer.status, answer.headers.get("Content-Type")], [200, OCI_INDEX]);
  assertEquals(answer.headers.get("OCI-Filters-Applied"), null);
  const { schemaVersion, mediaType, manifests } = answer.json();
  assertEquals([schemaVersion, mediaType], [2, OCI_INDEX]);
  const types = [...TYPES, "application/vnd.oci.image.config.v1+json"];
  const notes = ["sbom", "signature", "by its config"];
  const expected = REFERRERS.map((referrer, at) => ({
    ...descriptorOf(referrer, OCI_MANIFEST),
    artifactType: types[at],
    annotations: { note: notes[at] },
  }));
  const byDigest = (a: { digest: string }, b: { digest: string }) => a.digest < b.digest ? -1 : 1;
  assertEquals(manifests, expected.sort(byDigest));
});

Deno.test("GET <referrers>?artifactType= answers those of the type, and says so", async () => {
  for (const query of [TYPES[0]!, encodeURIComponent(TYPES[0]!)]) {
    const answer = await referrersOf(SUBJECT.digest, `?artifactType=${query}`);
    assertEquals(answer.headers.get("OCI-Filters-Applied"), "artifactType");
    assertEquals(answer.json().manifests.map(({ digest }: Content) => digest), [REFERRERS[0]!.digest]);
  }
  assertEquals((await referrersOf(SUBJECT.digest, "?artifactType=none/such")).json().manifests, []);
});

Deno.test("GET <referrers>?n= answers pages", async () => {
  const digests: string[] = [];
  for (let next: string | undefined = `/v2/ref/referrers/${SUBJECT.digest}?n=1`; next !== undefined;) {
    const answer: Answer = await registry.get(next);
    assertEquals(answer.json().manifests.length, 1);
    digests.push(answer.json().manifests[0].digest);
    next = nextOf(answer);
  }
  assertEquals(digests, REFERRERS.map(({ digest }) => digest).sort());
});

Deno.test("GET <referrers> answers an empty index for a subject, or a repository, that is not there", async () => {
  const { digest } = contentOf("nothing");
  for (const path of [`/v2/ref/referrers/${digest}`, `/v2/not/there/referrers/${digest}`]) {
    const answer = await registry.get(path);
    assertEquals([answer.status, answer.json().manifests], [200, []]);
  }
  const { status, json } = await registry.get("/v2/ref/referrers/sha256:bad");
  assertEquals([status, json().errors[0].code], [400, "DIGEST_INVALID"]);
});

Deno.test("An index without a type is listed without one", async () => {
  const subject = await registry.pushImage("ref", "other-subject", { annotations: { other: "yes" } });
  const index = contentOf({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [],
    subject: descriptorOf(subject, OCI_MANIFEST),
  });
  await registry.putManifest("ref", index.digest, index, OCI_INDEX);
  assertEquals((await referrersOf(subject.digest)).json().manifests, [descriptorOf(index, OCI_INDEX)]);
});

Deno.test("A referrer that is deleted is listed no more", async () => {
  const referrer = await pushReferrer("a/b", "deleted");
  await registry.send("DELETE", `/v2/ref/manifests/${referrer.digest}`);
  const { manifests } = (await referrersOf(SUBJECT.digest)).json();
  assertEquals(manifests.map(({ digest }: Content) => digest).includes(referrer.digest), false);
});

for (const algorithm of ["sha256", "sha512"] as const) {
  Deno.test(`What the fallback tag of a ${algorithm} subject lists is listed`, async () => {
    const subject = contentOf(`not pushed ${algorithm}`, algorithm);
    const listed = await registry.pushImage("ref", undefined, { annotations: { listed: algorithm } });
    const descriptor = {
      ...descriptorOf(listed, OCI_MANIFEST),
      artifactType: "x/y",
      annotations: { a: "b" },
    };
    const index = contentOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor] });
    const tag = subject.digest.replace(":", "-").slice(0, algorithm.length + 1 + 64);
    assertEquals((await registry.putManifest("ref", tag, index, OCI_INDEX)).status, 201);
    assertEquals((await referrersOf(subject.digest)).json().manifests, [descriptor]);
    assertEquals((await referrersOf(subject.digest, "?artifactType=z/z")).json().manifests, []);
  });
}
