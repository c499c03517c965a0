import type { RetentionQuestion } from "../../plugins/contract/retention.ts";
import { parseRepositoryName } from "../../server/oci/name.ts";
import type { RepositoryRules } from "../../server/registry/tags.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { APP, DAY_MS, HOUR_MS, pushImage, Scene, tagOf } from "./scene.ts";

const KEEP_LATEST = ["image.tag == 'latest'"];
const KEEP_NOTHING = ["false"];

/** `latest`, `v2` and `v1`, pushed a day, 20 and 60 days ago. */
async function threeVersions(): Promise<Scene> {
  const scene = await Scene.create();
  for (const [tag, days] of [["v1", 40], ["v2", 19], ["latest", 1]] as const) {
    await scene.image(tag, tag);
    await scene.age(days * DAY_MS);
  }
  return scene;
}

const KEPT: readonly (readonly [rules: readonly string[], kept: readonly string[]])[] = [
  [["image.tag == 'latest'"], ["latest"]],
  [["image.tag == 'latest'", "image.tag == 'v1'"], ["latest", "v1"]],
  [["image.pushed_at > now() - days(30)"], ["latest", "v2"]],
  [["top(image.tag, last_pushed, 1)"], ["latest"]],
  [["top(image.tag, last_pushed, 2)"], ["latest", "v2"]],
  [["top(image.tag, last_pulled, 5)"], []],
  [["has(image.last_pulled_at)"], []],
  [["image.last_pulled_at > now() - days(1)"], ["latest", "v1", "v2"]],
  [["image.size > 200"], ["latest", "v1", "v2"]],
  [["image.media_type.endsWith('manifest.v1+json')"], ["latest", "v1", "v2"]],
  [["1 / 0 == 1"], ["latest", "v1", "v2"]],
  [["false"], []],
  [[], ["latest", "v1", "v2"]],
];

for (const [rules, kept] of KEPT) {
  Deno.test(`of latest, v2 and v1 ${rules.join(" or ") || "no rules"} keeps ${kept.join(", ") || "none"}`, async () => {
    const scene = await threeVersions();
    await scene.run({ rules });
    assertEquals(await scene.tags(), kept);
  });
}

Deno.test("a run says of each tag which rule keeps it, or why it goes, and counts", async () => {
  const scene = await threeVersions();
  const { report, lines } = await scene.run({ rules: ["image.tag == 'v9'", "image.tag == 'latest'"] });
  assertEquals(report, {
    repositories: 1,
    tags: { kept: 1, deleted: 2 },
    manifests: { kept: 1, deleted: 2 },
    failed: [],
  });
  const rule = "global.retention_policy.rules[1]";
  const gone = "no rule of global.retention_policy is true";
  assertEquals(lines.map(({ digest: _, ...line }) => line), [
    { repository: APP, tag: tagOf("latest"), kept: true, rule, reason: "the rule is true" },
    { repository: APP, tag: tagOf("v1"), kept: false, reason: gone },
    { repository: APP, tag: tagOf("v2"), kept: false, reason: gone },
  ]);
});

Deno.test("a dry run says the same, and deletes nothing", async () => {
  const scene = await threeVersions();
  const before = await scene.storage.list("", { limit: 10_000 });
  const dry = await scene.run({ rules: KEEP_LATEST, dryRun: true });
  assertEquals(await scene.storage.list("", { limit: 10_000 }), before);
  assertEquals(await scene.run({ rules: KEEP_LATEST }), dry);
});

Deno.test("a tag goes alone while another tag of its manifest is kept", async () => {
  const scene = await Scene.create();
  const image = await scene.image("one", ["latest", "v1"]);
  await scene.age(DAY_MS);
  const { report } = await scene.run({ rules: KEEP_LATEST });
  assertEquals([await scene.tags(), await scene.has(image)], [["latest"], [true]]);
  assertEquals([report.tags, report.manifests], [{ kept: 1, deleted: 1 }, { kept: 1, deleted: 0 }]);
});

Deno.test("what a kept index lists is kept, whatever becomes of its own tags", async () => {
  const scene = await Scene.create();
  const children = [await scene.image("amd64", "amd64"), await scene.image("arm64")];
  const inner = await scene.index([children[0]!]);
  await scene.index([inner, children[1]!], "latest");
  await scene.age(DAY_MS);
  await scene.run({ rules: KEEP_LATEST, untaggedAfterMs: HOUR_MS });
  assertEquals([await scene.tags(), await scene.has(inner, ...children)], [["latest"], [true, true, true]]);
});

Deno.test("with an index goes what it alone lists", async () => {
  const scene = await Scene.create();
  const [amd64, arm64] = [await scene.image("amd64"), await scene.image("arm64")];
  const old = await scene.index([amd64!, arm64!], "old");
  const latest = await scene.index([arm64!], "latest");
  await scene.age(DAY_MS);
  await scene.run({ rules: KEEP_LATEST });
  assertEquals(await scene.has(old, amd64!, latest, arm64!), [false, false, true, true]);
});

Deno.test("referrers stay with their subject, and a subject with its kept referrers", async () => {
  const scene = await Scene.create();
  const kept = await scene.image("kept", "latest");
  const signature = await scene.image("signature", [], kept);
  const ofSignature = await scene.image("signature of the signature", [], signature);
  const subject = await scene.image("subject", "v1");
  const named = await scene.image("named", "latest-report", subject);
  const gone = await scene.image("gone", "v2");
  const goneToo = await scene.image("gone too", [], gone);
  await scene.age(DAY_MS);
  await scene.run({ rules: ["image.tag.startsWith('latest')"], untaggedAfterMs: HOUR_MS });
  assertEquals(await scene.tags(), ["latest", "latest-report"]);
  assertEquals(await scene.has(kept, signature, ofSignature, subject, named), [true, true, true, true, true]);
  assertEquals(await scene.has(gone, goneToo), [false, false]);
});

Deno.test("signatures that are found by their tag stay with what they are about, and go with it", async () => {
  const scene = await Scene.create();
  const [kept, gone] = [await scene.image("kept", "latest"), await scene.image("gone", "v1")];
  const tags = [kept, gone].map((digest) => `${digest!.replace(":", "-")}.sig`);
  const signatures = [await scene.image("s1", tags[0]!), await scene.image("s2", tags[1]!)];
  await scene.age(DAY_MS);
  const { lines } = await scene.run({ rules: KEEP_LATEST });
  assertEquals(await scene.tags(), ["latest", tags[0]!]);
  assertEquals(await scene.has(...signatures), [true, false]);
  const reason = lines.find(({ tag }) => tag === tags[0])!.reason;
  assertEquals(reason, `it is about ${kept}, which is kept`);
});

Deno.test("manifests without tags stay, where no age is set for them", async () => {
  const scene = await Scene.create();
  const untagged = await scene.image("untagged");
  await scene.image("gone", "v1");
  await scene.age(1_000 * DAY_MS);
  await scene.run({ rules: KEEP_NOTHING });
  assertEquals([await scene.tags(), await scene.has(untagged)], [[], [true]]);
});

Deno.test("manifests without tags go at their age, with all that only they hold", async () => {
  const scene = await Scene.create();
  const child = await scene.image("child");
  const index = await scene.index([child]);
  const referrer = await scene.image("referrer", [], index);
  await scene.age(DAY_MS);
  const younger = await scene.image("younger");
  await scene.age(DAY_MS);
  const { lines, report } = await scene.run({ rules: ["true"], untaggedAfterMs: 36 * HOUR_MS });
  assertEquals(await scene.has(child, index, referrer, younger), [false, false, false, true]);
  assertEquals(new Set(lines.map(({ digest }) => digest)), new Set([child, index, referrer]));
  assertEquals(report.manifests, { kept: 1, deleted: 3 });
  assert(lines.every(({ tag, kept }) => tag === null && !kept));
});

Deno.test("the age of a manifest without tags begins when it was last pushed, tagged or pulled", async () => {
  const scene = await Scene.create();
  const [moved, pulled, old] = [await scene.image("a", "v1"), await scene.image("b"), await scene.image("c")];
  await scene.age(10 * DAY_MS);
  await scene.registry.manifests.put(APP, {
    ...(await scene.registry.manifests.get(APP, { digest: moved! }))!,
    tags: [tagOf("latest")],
    contentType: undefined,
  });
  for (const tag of ["latest", "v1"]) await scene.image("d", tag);
  scene.registry.pulls.note(APP, { digest: pulled! });
  await scene.run({ rules: ["true"], untaggedAfterMs: DAY_MS });
  assertEquals(await scene.has(moved!, pulled!, old!), [true, true, false]);
});

Deno.test("nothing goes that was pushed recently, or holds what was", async () => {
  const scene = await Scene.create();
  const child = await scene.image("child");
  await scene.index([child], "v1");
  await scene.age(2 * HOUR_MS);
  const signature = await scene.image("signature", [], child);
  await scene.image("new", "v2");
  const { lines } = await scene.run({ rules: KEEP_NOTHING, untaggedAfterMs: 0 });
  assertEquals(lines.map(({ tag, kept, reason }) => [tag, kept, reason]), [
    ["v1", true, "something that belongs to it was pushed, tagged or pulled too recently"],
    ["v2", true, "it was pushed too recently"],
  ]);
  assertEquals(await scene.has(child, signature), [true, true]);
  await scene.age(2 * HOUR_MS);
  await scene.run({ rules: KEEP_NOTHING, untaggedAfterMs: 0 });
  assertEquals([await scene.tags(), await scene.has(child, signature)], [[], [false, false]]);
});

Deno.test("a tag of which nobody knows when it was pushed stays", async () => {
  const scene = await threeVersions();
  scene.forgetPush("v1");
  const { lines } = await scene.run({ rules: ["has(image.pushed_at) && image.tag == 'latest'"] });
  assertEquals(await scene.tags(), ["latest", "v1"]);
  assertEquals(lines.find(({ tag }) => tag === "v1")!.reason, "it is not known when it was pushed");
  await scene.run({ rules: ["top(image.tag, last_pushed, 3) && image.tag == 'latest'"], minAgeMs: 0 });
  assertEquals(await scene.tags(), ["latest", "v1"]);
});

Deno.test("rules know of pulls by tag and by digest, those that are not written yet too", async () => {
  const scene = await threeVersions();
  const v1 = await scene.registry.tags.get(APP, tagOf("v1"));
  scene.registry.pulls.note(APP, { digest: v1! });
  await scene.registry.pulls.flush();
  scene.registry.pulls.note(APP, { tag: tagOf("v2") });
  await scene.run({ rules: ["has(image.last_pulled_at) && image.last_pulled_at > now() - hours(1)"] });
  assertEquals(await scene.tags(), ["v1", "v2"]);
  await scene.registry.pulls.flush();
  await nextMillisecond();
  scene.registry.pulls.note(APP, { tag: tagOf("v2") });
  await scene.run({ rules: ["top(image.tag, last_pulled, 1)"] });
  assertEquals(
    await scene.tags(),
    ["v1", "v2"],
    "what was pulled by its digest just now stays for the least age",
  );
  await scene.run({ rules: ["top(image.tag, last_pulled, 1)"], minAgeMs: 0 });
  assertEquals(await scene.tags(), ["v2"]);
});

Deno.test("what is pulled while retention runs stays", async () => {
  const scene = await threeVersions();
  const pulling = {
    name: "mine",
    retain: async ({ images }: RetentionQuestion) => {
      await nextMillisecond();
      scene.registry.pulls.note(APP, { tag: tagOf("v1") });
      return images.map(() => ({ keep: false, reason: "" }));
    },
  };
  const { lines } = await scene.run({ keepers: [pulling] });
  assertEquals(await scene.tags(), ["v1"]);
  assertEquals(
    lines.find(({ tag }) => tag === "v1")!.reason,
    "it was pushed, tagged or pulled meanwhile, or something that belongs to it",
  );
});

async function nextMillisecond(): Promise<void> {
  const startMs = Date.now();
  while (Date.now() === startMs) await new Promise((resolve) => setTimeout(resolve, 1));
}

function ruledBy(rules: Partial<RepositoryRules>): Promise<Scene> {
  return Scene.create({
    isImmutable: () => false,
    hasImmutable: () => false,
    allowsDelete: () => true,
    ...rules,
  });
}

Deno.test("an immutable tag stays, with all that it holds", async () => {
  const scene = await ruledBy({ hasImmutable: () => true, isImmutable: (_, tag) => tag === "v1" });
  const child = await scene.image("child", "amd64");
  await scene.index([child], "v1");
  await scene.age(DAY_MS);
  const { lines, report } = await scene.run({ rules: KEEP_NOTHING, untaggedAfterMs: 0 });
  assertEquals([await scene.tags(), await scene.has(child)], [["v1"], [true]]);
  assertEquals(lines.map(({ tag, kept, reason }) => [tag, kept, reason]), [
    ["amd64", false, "no rule of global.retention_policy is true"],
    ["v1", true, "the tag is immutable"],
  ]);
  assertEquals(report.failed, []);
});

Deno.test("nothing goes where deletes are switched off", async () => {
  const scene = await ruledBy({ allowsDelete: () => false });
  const untagged = await scene.image("untagged");
  await scene.image("old", "v1");
  await scene.age(DAY_MS);
  const { lines, report } = await scene.run({ rules: KEEP_NOTHING, untaggedAfterMs: 0 });
  assertEquals([await scene.tags(), await scene.has(untagged)], [["v1"], [true]]);
  assertEquals(lines.map(({ kept, reason }) => [kept, reason]), [[true, "deletes are switched off"]]);
  assertEquals([report.manifests, report.failed], [{ kept: 2, deleted: 0 }, []]);
});

Deno.test("a tag to nothing stays: nobody can judge it", async () => {
  const scene = await threeVersions();
  const v1 = await scene.registry.tags.get(APP, tagOf("v1"));
  await scene.storage.delete(`repositories/${APP}/_manifests/${v1!.replace(":", "/")}`);
  const { lines } = await scene.run({ rules: KEEP_NOTHING });
  assertEquals(await scene.tags(), ["v1"]);
  assertEquals(
    lines.find(({ tag }) => tag === "v1")!.reason,
    "the manifest that it points to is missing",
  );
});

Deno.test("nothing goes of a repository with a manifest that cannot be read, and the run says so", async () => {
  const scene = await threeVersions();
  const v1 = await scene.registry.tags.get(APP, tagOf("v1"));
  const key = `repositories/${APP}/_manifests/${v1!.replace(":", "/")}`;
  await scene.storage.put(key, new TextEncoder().encode('{"mediaType":"text/plain"}\n{'));
  await scene.age(DAY_MS);
  const { report, lines } = await scene.run({ rules: KEEP_NOTHING, untaggedAfterMs: 0 });
  assertEquals([(await scene.tags()).length, lines, report.repositories], [3, [], 0]);
  assertEquals(report.failed.map(({ repository }) => repository), [APP]);
});

const BROKEN: readonly (readonly [what: string, retain: (question: RetentionQuestion) => unknown[]])[] = [
  ["fails", () => {
    throw new Error("it is down");
  }],
  ["answers for too few images", ({ images }) => images.slice(1).map(() => ({ keep: false, reason: "" }))],
  ["answers for too many", ({ images }) => [...images, 1].map(() => ({ keep: false, reason: "" }))],
];

for (const [what, retain] of BROKEN) {
  Deno.test(`nothing goes where one of those asked ${what}, and the run says so`, async () => {
    const scene = await threeVersions();
    const broken = {
      name: "mine",
      retain: async (question: RetentionQuestion) => await retain(question) as never,
    };
    const { report, lines } = await scene.run({ rules: KEEP_LATEST, keepers: [broken], untaggedAfterMs: 0 });
    assertEquals([(await scene.tags()).length, lines], [3, []]);
    assertEquals(report.failed.length, 1);
    assertEquals([report.repositories, report.tags], [0, { kept: 0, deleted: 0 }]);
  });
}

Deno.test("of several that are asked each may keep", async () => {
  const scene = await threeVersions();
  const keepsV1 = {
    name: "mine",
    retain: ({ images }: RetentionQuestion) =>
      Promise.resolve(images.map(({ tag }) => ({ keep: tag === "v1", rule: "mine", reason: "dear" }))),
  };
  await scene.run({ rules: KEEP_LATEST, keepers: [keepsV1] });
  assertEquals(await scene.tags(), ["latest", "v1"]);
});

Deno.test("nothing goes, without tags neither, where nobody has anything to say about the repository", async () => {
  const scene = await Scene.create();
  const untagged = await scene.image("untagged");
  await scene.image("old", "v1");
  await scene.age(DAY_MS);
  for (const rules of [undefined, []]) {
    const options = { ...(rules && { rules }), untaggedAfterMs: 0 };
    const { report } = await scene.run(options);
    assertEquals([report.repositories, await scene.has(untagged)], [0, [true]]);
  }
});

Deno.test("a run goes over all repositories, or one, and on from where one before it ended", async () => {
  const names = ["a", "a/b", "b"].map((name) => parseRepositoryName(name));
  const scene = await Scene.create();
  const push = async () => {
    for (const name of names) await pushImage(scene.registry, { name, text: "one", tags: ["v1"] });
    await scene.age(DAY_MS);
  };
  const left = () => Promise.all(names.map(async (name) => (await scene.tags(name)).length));
  await push();
  await scene.run({ rules: KEEP_NOTHING, repository: names[1]! });
  assertEquals(await left(), [1, 0, 1]);
  await push();
  await scene.run({ rules: KEEP_NOTHING, task: { cursor: "a" } });
  assertEquals(await left(), [1, 0, 0]);
  await push();
  const cursors: unknown[] = [];
  await scene.run({ rules: KEEP_NOTHING, task: { report: ({ cursor }) => cursors.push(cursor) } });
  assertEquals([await left(), cursors.at(-1)], [[0, 0, 0], "b"]);
});

Deno.test("a run that is to end does, and says how far it was", async () => {
  const scene = await threeVersions();
  const controller = new AbortController();
  const reason = new Error("cancelled");
  const keeper = {
    name: "mine",
    retain: ({ images }: RetentionQuestion) => {
      controller.abort(reason);
      return Promise.resolve(images.map(() => ({ keep: false, reason: "" })));
    },
  };
  await assertRejects(() => scene.run({ keepers: [keeper], task: { signal: controller.signal } }), reason);
  assertEquals((await scene.tags()).length, 3);
});

Deno.test("a plugin is asked about many images in several questions, each with the whole lists", async () => {
  const scene = await Scene.create();
  const tags = Array.from({ length: 2_500 }, (_, index) => `v${index}`);
  for (let at = 0; at < tags.length; at += 100) await scene.image("same", tags.slice(at, at + 100));
  await scene.age(DAY_MS);
  const asked: number[][] = [];
  const keeper = {
    name: "mine",
    retain: ({ images, lastPushed, lastPulled }: RetentionQuestion) => {
      asked.push([images.length, lastPushed.length, lastPulled.length]);
      return Promise.resolve(images.map(() => ({ keep: true, reason: "" })));
    },
  };
  await scene.run({ keepers: [keeper] });
  assertEquals(asked, [[1_000, 2_500, 0], [1_000, 2_500, 0], [500, 2_500, 0]]);
});
