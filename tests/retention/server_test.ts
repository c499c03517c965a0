import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { type Answer, RegistryClient } from "../support/client.ts";
import { identityTables } from "../support/identities.ts";
import { ROOT, type RunningRegistry, startRegistry } from "../support/registry.ts";

const DEADLINE_MS = 20_000;

/** A registry that runs. */
class Scene implements AsyncDisposable {
  readonly client: RegistryClient;
  readonly registry: RunningRegistry;

  private constructor(registry: RunningRegistry) {
    this.registry = registry;
    this.client = new RegistryClient(registry.url);
  }

  static async start(config: string, dataDir?: string): Promise<Scene> {
    return new Scene(await startRegistry({ config, ...(dataDir !== undefined && { dataDir }) }));
  }

  /** Runs retention; answers its job, when it has ended, and what it says of each tag. */
  async run(options: object = {}) {
    const body = JSON.stringify({ kind: "retention", options });
    const { status, text, json } = await this.client.send("POST", "/admin/v1/jobs", {
      headers: { "Content-Type": "application/json" },
      body,
    });
    assertEquals(status, 202, text);
    const path = `/admin/v1/jobs/${json().job}`;
    const job = await until(
      async () => (await this.client.get(path)).json(),
      ({ state }) => state !== "running",
    );
    const lines = (await this.client.get(`${path}/lines`)).json().lines as Record<string, unknown>[];
    return { ...job, lines };
  }

  async tags(name: string): Promise<string[]> {
    return (await this.client.get(`/v2/${name}/tags/list`)).json().tags;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
  }
}

// deno-lint-ignore no-explicit-any -- tests look into answers whose shape they are about to check
async function until(read: () => Promise<any>, isGood: (value: any) => boolean): Promise<any> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  for (;;) {
    const value = await read();
    if (isGood(value)) return value;
    if (performance.now() > deadlineMs) throw new Error(`Waited in vain; last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const RULES = `
[global.retention_policy]
rules = ["image.tag == 'latest'", "has(image.last_pulled_at)"]
min_age = "0s"
[repository.careful.retention_policy]
rules = ["image.tag.startsWith('v')"]
[repository."careful/kept".retention_policy]
rules = []
min_age = "0s"
`;

Deno.test("the job deletes what no rule keeps, by the most particular table of each repository", async () => {
  await using scene = await Scene.start(RULES);
  const { client } = scene;
  for (const name of ["app", "careful", "careful/kept"]) {
    for (const tag of ["latest", "v1", "v2"]) {
      await client.pushImage(name, tag, { annotations: { tag } });
    }
  }
  assertEquals((await client.get("/v2/app/manifests/v2")).status, 200);

  const dry = await scene.run({ dry_run: true, repository: "app" });
  assertEquals(dry.state, "done");
  assertEquals(dry.lines.map(({ digest: _, ...line }: { digest: string }) => line), [
    {
      repository: "app",
      tag: "latest",
      kept: true,
      rule: "global.retention_policy.rules[0]",
      reason: "the rule is true",
    },
    {
      repository: "app",
      tag: "v1",
      kept: false,
      reason: "no rule of global.retention_policy is true",
    },
    {
      repository: "app",
      tag: "v2",
      kept: true,
      rule: "global.retention_policy.rules[1]",
      reason: "the rule is true",
    },
  ]);
  assertEquals(await scene.tags("app"), ["latest", "v1", "v2"]);

  const run = await scene.run();
  assertEquals(run.report, {
    repositories: 2,
    tags: { kept: 5, deleted: 1 },
    manifests: { kept: 5, deleted: 1 },
    failed: [],
  });
  assertEquals(await scene.tags("app"), ["latest", "v2"]);
  assertEquals((await client.get("/v2/app/manifests/v1")).status, 404);
  assertEquals(
    run.lines.filter(({ repository }: { repository: string }) => repository === "careful")[0].reason,
    "it was pushed too recently",
  );
  assertEquals(await scene.tags("careful"), ["latest", "v1", "v2"]);
  assertEquals(await scene.tags("careful/kept"), ["latest", "v1", "v2"]);
  assertEquals(
    (await client.send("POST", "/admin/v1/jobs", {
      body: JSON.stringify({ kind: "retention", options: { repository: "../x" } }),
    })).status,
    400,
  );
});

Deno.test("what was pulled is known after an orderly stop", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "sreg-pulls-" });
  try {
    const config = `[global.retention_policy]\nrules = ["has(image.last_pulled_at)"]\nmin_age = "0s"\n`;
    {
      await using scene = await Scene.start(config, dataDir);
      for (const tag of ["got", "headed", "never", "by-digest"]) {
        await scene.client.pushImage("app", tag, { annotations: { tag } });
      }
      const { headers } = await scene.client.get("/v2/app/manifests/got");
      assert(headers.get("Docker-Content-Digest"));
      await scene.client.send("HEAD", "/v2/app/manifests/headed");
      const { digest } = await scene.client.pushImage("app", "by-digest", {
        annotations: { tag: "by-digest" },
      });
      await scene.client.get(`/v2/app/manifests/${digest}`);
      await scene.client.get("/v2/app/manifests/unknown");
    }
    await using scene = await Scene.start(config, dataDir);
    await scene.run();
    assertEquals(await scene.tags("app"), ["by-digest", "got", "headed"]);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

/** What clients may do where nobody is asked: status by request. */
async function access(config: string): Promise<readonly [string, number][]> {
  await using scene = await Scene.start(config);
  const basic = { Authorization: `Basic ${btoa("alice:alice-password")}` };
  const answers: [string, Answer][] = [];
  for (const headers of [{}, basic]) {
    const who = "Authorization" in headers ? "alice" : "nobody";
    for (
      const [method, path] of [
        ["POST", "/v2/app/blobs/uploads/"],
        ["GET", "/v2/app/tags/list"],
        ["GET", "/v2/_catalog"],
        ["DELETE", "/v2/app/manifests/latest"],
        ["GET", "/admin/v1/jobs"],
      ] as const
    ) {
      answers.push([`${who} ${method} ${path}`, await scene.client.send(method, path, { headers })]);
    }
  }
  return answers.map(([what, { status }]) => [what, status]);
}

Deno.test("rules of retention alone change nothing of who may do what", async () => {
  const retention = `[global.retention_policy]\nrules = ["true"]\n`;
  assertEquals(await access(retention), await access(""));
  const identities = await identityTables(["alice"]);
  const known = await access(identities);
  assertEquals(await access(`${identities}\n${retention}`), known);
  assertEquals(known[0], ["nobody POST /v2/app/blobs/uploads/", 401]);
  assertEquals(known[5], ["alice POST /v2/app/blobs/uploads/", 202]);
  const chain = `[access]\npolicies = ["cel"]\n[global.access_policy]\ndefault_allow = true\n`;
  assertEquals(await access(`${chain}\n${retention}`), await access(chain));
});

Deno.test("a rule with a mistake stops the start, and says where", async () => {
  const config =
    `[repository."team/*".retention_policy]\nrules = [\n  "image.tag == 'v1'",\n  "top(image.tagg, last_pushed, 3)",\n]\n`;
  const reason = await startRegistry({ config }).then(() => "", (error: Error) => error.message);
  assertMatch(reason, /sreg\.toml:4:/);
  assertMatch(reason, /unknown variable "image\.tagg", did you mean "image\.tag"\?/);
});

Deno.test("a plugin of one's own may say what to keep, with the rules or alone; where it fails nothing goes", async () => {
  const config = `
[plugin.keeper]
path = "${ROOT}tests/retention/fixtures/keeper"
[policy.keeper]
tags = ["mine"]
[repository.both.retention_policy]
rules = ["image.tag == 'latest'"]
min_age = "0s"
[global.retention_policy]
rules = []
min_age = "0s"
`;
  await using scene = await Scene.start(config);
  for (const name of ["both", "broken", "own"]) {
    for (const tag of ["latest", "mine", "other"]) {
      await scene.client.pushImage(name, tag, { annotations: { tag } });
    }
  }
  const { state, report, lines } = await scene.run();
  assertEquals(await scene.tags("both"), ["latest", "mine"]);
  assertEquals(await scene.tags("own"), ["mine"]);
  assertEquals(await scene.tags("broken"), ["latest", "mine", "other"]);
  assertEquals([state, report.failed.length, report.failed[0].repository], ["done", 1, "broken"]);
  assertMatch(report.failed[0].reason, /nobody knows/);
  assertEquals(lines.find(({ tag }: { tag: string }) => tag === "mine").rule, "keeper.tags");
});
