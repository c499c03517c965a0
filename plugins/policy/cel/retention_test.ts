import { PluginError } from "@sreg/contract/error.ts";
import type { Retention, RetentionImage, RetentionQuestion } from "@sreg/contract/retention.ts";
import { assertEquals, assertRejects } from "../../../tests/support/assert.ts";
import { create } from "./cel.ts";

const NOW_MS = Date.parse("2026-03-01T00:00:00Z");
const DAY_MS = 24 * 60 * 60 * 1000;

interface Table {
  readonly path: readonly string[];
  readonly pattern?: string;
  readonly rules: readonly string[];
}

function globally(...rules: string[]): Table {
  return { path: ["global", "retention_policy"], rules };
}

function of(pattern: string, ...rules: string[]): Table {
  return { path: ["repository", pattern, "retention_policy"], pattern, rules };
}

function image(tag: string, parts: Partial<RetentionImage> = {}): RetentionImage {
  return {
    tag,
    digest: `sha256:${"0".repeat(64)}`,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    size: 5_000_000,
    pushedAtMs: NOW_MS - 10 * DAY_MS,
    lastPulledAtMs: null,
    ...parts,
  };
}

async function retain(
  retention: readonly Table[],
  images: readonly RetentionImage[],
  parts: Partial<RetentionQuestion> = {},
): Promise<readonly Retention[]> {
  const policy = await create({ retention });
  return await policy.retain!({
    repository: "team/app",
    images,
    lastPushed: images.map(({ tag }) => tag),
    lastPulled: [],
    timeMs: NOW_MS,
    ...parts,
  });
}

/** The tags that the rules keep. */
async function kept(rules: readonly string[], images: readonly RetentionImage[], pulled: string[] = []) {
  const answers = await retain([globally(...rules)], images, { lastPulled: pulled });
  return images.flatMap(({ tag }, index) => answers[index]!.keep ? [tag] : []);
}

const IMAGES: readonly RetentionImage[] = [
  image("latest", { pushedAtMs: NOW_MS - 1 * DAY_MS, lastPulledAtMs: NOW_MS - DAY_MS / 24 }),
  image("v2", { pushedAtMs: NOW_MS - 20 * DAY_MS, lastPulledAtMs: NOW_MS - 40 * DAY_MS }),
  image("v1", { pushedAtMs: NOW_MS - 60 * DAY_MS, size: 100 }),
  image("nobody-knows", { pushedAtMs: null, mediaType: "application/vnd.oci.image.index.v1+json" }),
];
const PULLED = ["latest", "v2"];

const KEPT: readonly (readonly [rules: readonly string[], kept: readonly string[]])[] = [
  [["image.tag == 'latest'"], ["latest"]],
  [["image.tag.startsWith('v')"], ["v2", "v1"]],
  [["image.tag.matches('^v[0-9]+$')", "image.tag == 'latest'"], ["latest", "v2", "v1"]],
  [["image.pushed_at > now() - days(30)"], ["latest", "v2", "nobody-knows"]],
  [["image.pushed_at < now() - days(30)"], ["v1", "nobody-knows"]],
  [["now() - image.pushed_at < hours(48)"], ["latest", "nobody-knows"]],
  [["image.pushed_at > timestamp('2026-02-20T00:00:00Z')"], ["latest", "nobody-knows"]],
  [["has(image.pushed_at) && image.pushed_at > now() - days(30)"], ["latest", "v2"]],
  [["image.last_pulled_at > now() - days(30)"], ["latest", "v1", "nobody-knows"]],
  [["!(image.last_pulled_at < now() - days(30))"], ["latest", "v1", "nobody-knows"]],
  [["image.last_pulled_at == null"], ["v1", "nobody-knows"]],
  [["has(image.last_pulled_at)"], ["latest", "v2"]],
  [["!has(image.last_pulled_at)"], ["v1", "nobody-knows"]],
  [["has(image.last_pulled_at) && image.last_pulled_at > now() - days(30)"], ["latest"]],
  [["image.size > 1000"], ["latest", "v2", "nobody-knows"]],
  [["image.size <= 100"], ["v1"]],
  [["image.media_type.contains('index')"], ["nobody-knows"]],
  [["top(image.tag, last_pushed, 2)"], ["latest", "v2"]],
  [["top(image.tag, last_pulled, 1)"], ["latest"]],
  [["top(image.tag, last_pulled, 100)"], ["latest", "v2"]],
  [["top(image.tag, last_pushed, 0)"], []],
  [["top(image.tag, last_pushed.filter(t, t.startsWith('v')), 1)"], ["v2"]],
  [["image.tag in last_pulled"], ["latest", "v2"]],
  [["last_pushed[0] == image.tag"], ["latest"]],
  [["size(last_pushed) < 3"], []],
  [["false", "image.tag == 'v1'"], ["v1"]],
  [["true"], ["latest", "v2", "v1", "nobody-knows"]],
  [["false"], []],
];

for (const [rules, expected] of KEPT) {
  Deno.test(`retain() by ${rules.join(" or ")} keeps ${expected.join(", ") || "nothing"}`, async () => {
    assertEquals(await kept(rules, IMAGES, PULLED), expected);
  });
}

const FAILING = [
  "days(-1) > hours(1)",
  "image.pushed_at > now() - hours(-5)",
  "top(image.tag, last_pushed, -1)",
  "image.pushed_at > now() - days(9999999999999)",
  "1 / 0 == 1",
];

for (const rule of FAILING) {
  Deno.test(`retain() keeps an image of which ${rule} cannot be told, and says so`, async () => {
    const [answer] = await retain([globally("false", rule)], [image("v1")]);
    assertEquals(answer!.keep, true);
    assertEquals(answer!.rule, "global.retention_policy.rules[1]");
    assertEquals(answer!.reason.startsWith("the rule could not be evaluated: "), true, answer!.reason);
  });
}

Deno.test("retain() names the rule that is true rather than one before it that cannot be evaluated", async () => {
  assertEquals(await retain([globally("1 / 0 == 1", "true")], [image("v1")]), [
    { keep: true, rule: "global.retention_policy.rules[1]", reason: "the rule is true" },
  ]);
});

Deno.test("retain() lets go what no rule keeps, and says by which policy", async () => {
  assertEquals(await retain([of("team/*", "false")], [image("v1")]), [
    { keep: false, reason: 'no rule of repository."team/*".retention_policy is true' },
  ]);
});

Deno.test("retain() asks the most particular table alone", async () => {
  const tables = [
    globally("true"),
    of("**", "true"),
    of("team", "true"),
    of("team/app", "image.tag == 'v1'"),
  ];
  const answers = await retain(tables, [image("v1"), image("v2")]);
  assertEquals(answers.map(({ keep }) => keep), [true, false]);
  assertEquals(answers[0]!.rule, 'repository."team/app".retention_policy.rules[0]');
});

Deno.test("retain() says nothing about a repository that has no rules", async () => {
  assertEquals(await retain([of("other", "false")], [image("v1")]), []);
  assertEquals(await retain([globally()], [image("v1")]), []);
  assertEquals(await retain([globally("false"), of("team")], [image("v1")]), []);
});

Deno.test("a policy without tables of retention has no retain()", async () => {
  const policies = [{ path: ["global", "access_policy"], default_allow: false, rules: ["true"] }];
  assertEquals((await create({ policies })).retain, undefined);
});

Deno.test("retain() fails where a rule has a mistake, and check() says where", async () => {
  const policy = await create({ retention: [globally("true", "image.tagg == 'v1'")] });
  const question = {
    repository: "a",
    images: [image("v1")],
    lastPushed: [],
    lastPulled: [],
    timeMs: NOW_MS,
  };
  const message = 'unknown variable "image.tagg", did you mean "image.tag"?';
  await assertRejects(
    () => policy.retain!(question),
    new PluginError("failed", `Cannot evaluate global.retention_policy.rules[1]: ${message}`),
  );
  const path = ["global", "retention_policy", "rules", "1"];
  assertEquals(await policy.check(), [{ path, offset: 6, length: 4, message }]);
});

const REFUSED: readonly (readonly [rule: string, message: string])[] = [
  ["image.pushed_at > now() - day(30)", 'unknown function "day", did you mean "days"?'],
  ["image.pushed_at > now() - days('30')", '"days" does not take string'],
  ["image.pushed_at > now() - 30", '"-" does not take timestamp and int'],
  ["image.pushed_at > days(30)", '">" does not take timestamp and duration'],
  ["top(image.tag, last_pushed)", '"top" takes 3 arguments, found 2'],
  ["top(image.tag, 10, last_pushed)", '"top" does not take string and int and list'],
  ["now(1) == now()", '"now" takes 0 arguments, found 1'],
  ["image == 'v1'", '"image" is no value itself, name one of its fields, such as image.tag'],
  ["image.size == 'v1'", "an int never equals a string"],
  ["image.tag", "expected a bool, this is a string"],
  ["last_pushd[0] == image.tag", 'unknown variable "last_pushd", did you mean "last_pushed"?'],
  ["identity.username == 'bob'", 'unknown variable "identity"'],
  ["image.tag = 'v1'", 'syntax error at "=", did you mean "=="?'],
];

for (const [rule, message] of REFUSED) {
  Deno.test(`check() of ${JSON.stringify(rule)} says: ${message}`, async () => {
    const policy = await create({ retention: [globally(rule)] });
    assertEquals((await policy.check())[0]?.message, message);
  });
}

Deno.test("rules of access know nothing of images", async () => {
  const path = ["global", "access_policy"];
  const rules = ["image.tag == 'v1'", "now() == now()"];
  const policy = await create({ policies: [{ path, default_allow: false, rules }] });
  assertEquals((await policy.check()).map(({ message }) => message), [
    'unknown variable "image"',
    'unknown function "now"',
    'unknown function "now"',
  ]);
});
