import { assertEquals } from "../support/assert.ts";
import {
  type Answer,
  type Content,
  contentOf,
  imageOf,
  OCI_INDEX,
  type RegistryClient,
} from "../support/client.ts";
import { type Scene, startScene, storeOf } from "./scene.ts";

const FROZEN = `
[repository."frozen/*"]
immutable_tags = true
immutable_tags_exclusions = ["latest", "^dev-.*"]
`;

const ROUNDS = 100;

const name = "frozen/app";

/** What an answer says went wrong. */
function refusalOf({ status, json }: Answer) {
  const [{ code, message, detail }] = json().errors;
  return { status, code, message, detail };
}

function immutable(tag: string, verb: "move" | "delete") {
  return {
    status: 403,
    code: "DENIED",
    message: `Cannot ${verb} the tag ${tag}: it is immutable`,
    detail: { tag },
  };
}

/** An image that differs from all others, whose blobs are there. */
async function newImage(client: RegistryClient, name: string): Promise<Content> {
  const config = await client.pushBlob(name, contentOf("config"));
  return imageOf(config, [], { annotations: { id: crypto.randomUUID() } });
}

async function holds(
  client: RegistryClient,
  name: string,
  tags: Readonly<Record<string, Content>>,
): Promise<void> {
  for (const [tag, { bytes }] of Object.entries(tags)) {
    assertEquals((await client.get(`/v2/${name}/manifests/${tag}`)).bytes, bytes);
  }
}

Deno.test("An immutable tag", async (t) => {
  await using scene = await startScene({ config: FROZEN });
  const admin = scene.as("admin");
  const [first, second] = [await newImage(admin, name), await newImage(admin, name)];
  const manifest = (reference: string) => `/v2/${name}/manifests/${reference}`;
  assertEquals((await admin.putManifest(name, "v1", first)).status, 201);
  await t.step("is not moved by its name", async () => {
    assertEquals(refusalOf(await admin.putManifest(name, "v1", second)), immutable("v1", "move"));
  });
  await t.step("is not moved by ?tag=, and no other tag of the push is set", async () => {
    for (const query of ["?tag=v1", "?tag=new&tag=v1", "?tag=v1&tag=new", "?tag=new&tag=v1&tag=v1"]) {
      const answer = await admin.putManifest(name, `${second.digest}${query}`, second);
      assertEquals(refusalOf(answer), immutable("v1", "move"));
    }
    assertEquals((await admin.get(manifest("new"))).status, 404);
  });
  await t.step("is not moved by an index", async () => {
    const index = contentOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] });
    assertEquals(refusalOf(await admin.putManifest(name, "v1", index, OCI_INDEX)), immutable("v1", "move"));
  });
  await t.step(
    "is not deleted by its name, nor with its manifest, so that it could be pushed anew",
    async () => {
      for (const reference of ["v1", first.digest]) {
        assertEquals(refusalOf(await admin.send("DELETE", manifest(reference))), immutable("v1", "delete"));
      }
    },
  );
  await t.step("is not deleted beside one that can be", async () => {
    assertEquals((await admin.putManifest(name, `${first.digest}?tag=dev-1&tag=latest`, first)).status, 201);
    assertEquals(refusalOf(await admin.send("DELETE", manifest(first.digest))), immutable("v1", "delete"));
    await holds(admin, name, { "dev-1": first, latest: first });
  });
  await t.step("keeps its blobs", async () => {
    const answer = await admin.send("DELETE", `/v2/${name}/blobs/${contentOf("config").digest}`);
    assertEquals(refusalOf(answer), {
      status: 405,
      code: "UNSUPPORTED",
      message: "Cannot delete the blob: a manifest of the repository refers to it",
      detail: { manifest: first.digest },
    });
  });
  await t.step("may be pushed again as it is", async () => {
    const answers = [
      await admin.putManifest(name, "v1", first),
      await admin.putManifest(name, `${first.digest}?tag=v1`, first),
    ];
    assertEquals(answers.map(({ status }) => status), [201, 201]);
  });
  await t.step("stands where it stood", () => holds(admin, name, { v1: first }));
});

Deno.test("An immutable tag does not keep", async (t) => {
  await using scene = await startScene({ config: FROZEN });
  const admin = scene.as("admin");
  await t.step("other tags and repositories from moving", async () => {
    for (
      const [repository, tag] of [[name, "latest"], [name, "dev-1"], ["frozen", "v1"], [
        "frozen/a/b",
        "v1",
      ]] as const
    ) {
      const images = [await newImage(admin, repository), await newImage(admin, repository)];
      const moved = [];
      for (const image of images) moved.push((await admin.putManifest(repository, tag, image)).status);
      const removed = await admin.send("DELETE", `/v2/${repository}/manifests/${tag}`);
      assertEquals([repository, tag, moved, removed.status], [repository, tag, [201, 201], 202]);
    }
  });
  await t.step("its neighbours from being deleted", async () => {
    const [first, second] = [await newImage(admin, name), await newImage(admin, name)];
    assertEquals((await admin.putManifest(name, "v1", first)).status, 201);
    assertEquals((await admin.putManifest(name, second.digest, second)).status, 201);
    assertEquals((await admin.send("DELETE", `/v2/${name}/manifests/${second.digest}`)).status, 202);
  });
});

Deno.test(`Of two that create an immutable tag at once one does, ${ROUNDS} times`, async () => {
  await using scene = await startScene({ config: FROZEN });
  const admin = scene.as("admin");
  const config = await admin.pushBlob(name, contentOf("config"));
  for (let round = 0; round < ROUNDS; round++) {
    const tag = `v${round}`;
    const images = [1, 2].map((id) => imageOf(config, [], { annotations: { id: `${tag}-${id}` } })) as [
      Content,
      Content,
    ];
    const answers = await Promise.all([
      admin.putManifest(name, tag, images[0]),
      admin.putManifest(name, round % 2 === 0 ? tag : `${images[1].digest}?tag=${tag}`, images[1]),
    ]);
    const won = answers.findIndex(({ status }) => status === 201);
    assertEquals(refusalOf(answers[1 - won]!), immutable(tag, "move"));
    await holds(admin, name, { [tag]: images[won]! });
  }
});

Deno.test("Immutable tags everywhere, but where a repository says otherwise", async () => {
  await using scene = await startScene({
    config: `[global]
immutable_tags = true
immutable_tags_exclusions = ["^nightly"]
[repository."free/**"]
immutable_tags = false
[repository."free/not"]
immutable_tags = true
[repository."team"]
immutable_tags_exclusions = ["edge"]
`,
  });
  const admin = scene.as("admin");
  const moves = async (name: string, tag: string) => {
    await admin.putManifest(name, tag, await newImage(admin, name));
    return (await admin.putManifest(name, tag, await newImage(admin, name))).status;
  };
  const cases: [name: string, tag: string, status: number][] = [
    ["any", "v1", 403],
    ["any", "nightly-1", 201],
    ["free/app", "v1", 201],
    ["free/not", "v1", 403],
    ["free/not/below", "v1", 403],
    ["team/app", "edge", 201],
    ["team/app", "nightly-1", 403],
  ];
  for (const [name, tag, status] of cases) {
    assertEquals([name, tag, await moves(name, tag)], [name, tag, status]);
  }
});

/** All that can be deleted from a repository, by every path. */
async function deleteAll(scene: Scene, name: string) {
  const admin = scene.as("admin");
  const tagged = await admin.pushImage(name, "v1");
  const untagged = await newImage(admin, name);
  await admin.putManifest(name, untagged.digest, untagged);
  const blob = await admin.pushBlob(name, contentOf(`a blob of nobody in ${name}`));
  const token = scene.bearing(await scene.tokenOf("admin", `repository:${name}:delete`));
  const missing = contentOf("none").digest;
  const before = await storeOf(scene.registry.dataDir);
  const answers: Answer[] = [];
  for (
    const path of [
      "manifests/v1",
      `manifests/${tagged.digest}`,
      `manifests/${untagged.digest}`,
      `manifests/${missing}`,
      `blobs/${blob.digest}`,
      `blobs/${missing}`,
    ]
  ) {
    for (const client of [admin, token]) answers.push(await client.send("DELETE", `/v2/${name}/${path}`));
  }
  return { answers, before, after: await storeOf(scene.registry.dataDir) };
}

const SWITCHED_OFF = {
  status: 405,
  code: "UNSUPPORTED",
  message: "Cannot delete from the repository: deletes are switched off",
  detail: undefined,
};

const DELETED = [202, 404, 202, 404, 202, 404, 404, 404, 202, 404, 404, 404];

for (
  const [title, config, off, on] of [
    ["for some repositories", `[repository."kept"]\ndeletes = false\n`, ["kept", "kept/app"], [
      "keeps/app",
      "team/app",
    ]],
    [
      "everywhere but in some",
      `[global]\ndeletes = false\n[repository."free/*"]\ndeletes = true\n`,
      ["team/app", "free/a/b"],
      ["free/app"],
    ],
  ] as const
) {
  Deno.test(`Deletes switched off ${title}`, async (t) => {
    await using scene = await startScene({ config });
    for (const name of off) {
      await t.step(`are refused in ${name} by every path, and nothing goes`, async () => {
        const { answers, before, after } = await deleteAll(scene, name);
        assertEquals(answers.map(refusalOf), answers.map(() => SWITCHED_OFF));
        assertEquals(after, before);
      });
    }
    for (const name of on) {
      await t.step(`are served in ${name}`, async () => {
        const { answers } = await deleteAll(scene, name);
        assertEquals(answers.map(({ status }) => status), DELETED);
      });
    }
    await t.step("leave moving a tag, and giving up an upload", async () => {
      const admin = scene.as("admin");
      const [name] = off;
      await admin.pushImage(name, "v1");
      const moved = await admin.putManifest(name, "v1", await newImage(admin, name));
      const ended = await admin.send("DELETE", await admin.startUpload(name));
      assertEquals([moved.status, ended.status], [201, 204]);
    });
  });
}
