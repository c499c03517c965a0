import { assertEquals } from "../support/assert.ts";
import { type Desk, openDesk, printed } from "./scene.ts";
import { type Reply, serve, type StandIn } from "./stand_in.ts";

/** Runs sregctl against a server of these replies; its output, and what the server was asked. */
async function tell(
  replies: Readonly<Record<string, Reply>>,
  args: readonly string[],
): Promise<{ stdout: string; asked: StandIn["asked"] }> {
  await using desk = await openDesk({});
  await using server = serve(replies);
  const outcome = await run(desk, server, args);
  assertEquals(outcome, printed(0, outcome.stdout));
  return { stdout: outcome.stdout, asked: server.asked };
}

function run(desk: Desk, { url }: StandIn, args: readonly string[]) {
  return desk.run(args, { SREG_SERVER: url, SREG_TOKEN: "t" });
}

/** A verb that shows: its table, and with --json the very answer. */
function shows(name: string, { args, path, reply, table }: {
  readonly args: readonly string[];
  readonly path: string;
  readonly reply: object;
  readonly table: string;
}) {
  Deno.test(`sregctl ${name}`, async () => {
    const [pathname] = path.split("?");
    const replies = { [`GET ${pathname}`]: reply };
    const { stdout, asked } = await tell(replies, args);
    assertEquals(stdout, table);
    assertEquals(asked, [{ method: "GET", path, authorization: "Bearer t", body: undefined }]);
    const json = await tell(replies, [...args, "--json"]);
    assertEquals(JSON.parse(json.stdout), reply);
  });
}

/** A verb that changes: what it sends, and what it says. */
function changes(name: string, { args, request, body, reply, says }: {
  readonly args: readonly string[];
  readonly request: string;
  readonly body?: unknown;
  readonly reply: Reply;
  readonly says: string;
}) {
  Deno.test(`sregctl ${name}`, async () => {
    const [method = "", path = ""] = request.split(" ");
    const { stdout, asked } = await tell({ [`${method} ${path.split("?")[0]}`]: reply }, args);
    assertEquals(asked, [{ method, path, authorization: "Bearer t", body }]);
    assertEquals(stdout, says);
  });
}

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;
const AT = "2025-03-31T22:00:05.123Z";
const ALICE = {
  id: "a/ü",
  username: "alice",
  groups: ["dev", "ops"],
  source: "store",
  disabled: false,
  created_at: AT,
};

shows("identity list shows who is there, from where, and who is disabled", {
  args: ["identity", "list"],
  path: "/admin/v1/identities?n=1000",
  reply: { identities: [ALICE, { id: "bob", username: "bob", groups: [], source: "file", disabled: true }] },
  table: `id   user name  groups  from   state     made
a/ü  alice      dev     store  in use    2025-03-31 22:00:05Z
                ops
bob  bob                file   disabled
`,
});

changes("identity create sends what was given, and nothing else", {
  args: ["identity", "create", "alice", "--id", "a/ü", "--group", "dev", "--group", "ops", "--no-password"],
  request: "POST /admin/v1/identities",
  body: { username: "alice", id: "a/ü", groups: ["dev", "ops"] },
  reply: () => Response.json(ALICE, { status: 201 }),
  says: "Made the identity a/ü\n",
});

changes("identity disable encodes the whole id", {
  args: ["identity", "disable", "a/ü"],
  request: "PATCH /admin/v1/identities/a%2F%C3%BC",
  body: { disabled: true },
  reply: ALICE,
  says: "The identity a/ü is disabled\n",
});

changes("identity groups replaces the groups", {
  args: ["identity", "groups", "alice", "dev", "ops"],
  request: "PATCH /admin/v1/identities/alice",
  body: { groups: ["dev", "ops"] },
  reply: ALICE,
  says: "The identity alice is in dev, ops\n",
});

changes("identity delete --yes deletes", {
  args: ["identity", "delete", "bob", "--yes"],
  request: "DELETE /admin/v1/identities/bob",
  reply: null,
  says: "The identity bob is deleted\n",
});

changes("role create sends verbs and repositories", {
  args: ["role", "create", "releaser", "--verb", "pull", "--verb", "push", "--repository", "team/**"],
  request: "PUT /admin/v1/roles/releaser",
  body: { verbs: ["pull", "push"], repositories: ["team/**"] },
  reply: { name: "releaser", verbs: ["pull", "push"], repositories: ["team/**"], source: "store" },
  says: "The role releaser is set\n",
});

shows("binding list shows who has which role", {
  args: ["binding", "list"],
  path: "/admin/v1/bindings?n=1000",
  reply: { bindings: [{ id: "b1", role: "admin", users: ["root"], groups: ["ops"], source: "store" }] },
  table: "id  role   users  groups  from\nb1  admin  root   ops     store\n",
});

shows("repo list shows repositories, and asks with the filter", {
  args: ["repo", "list", "--filter", "team/"],
  path: "/admin/v1/repositories?filter=team%2F&n=1000",
  reply: { repositories: [{ name: "team/app", tags: 2, manifests: 3, last_pushed_at: AT }] },
  table: "repository  tags  manifests  last push\nteam/app    2     3          2025-03-31 22:00:05Z\n",
});

shows("repo show shows what is in a repository", {
  args: ["repo", "show", "team/app"],
  path: "/admin/v1/repositories/team/app",
  reply: {
    name: "team/app",
    tags: 1,
    manifests: 1,
    blobs: 3,
    bytes: 5_000_000,
    last_pushed_at: AT,
    rules: { immutable_tags: ["v*"], deletes: true },
  },
  table: `repository      team/app
tags            1
manifests       1
blobs           3, 4.8 MiB
last push       2025-03-31 22:00:05Z
last pull       never
immutable tags  v*
deletes         yes
`,
});

const DELETED = { deleted: { manifests: 3, tags: 2, blobs: 1, uploads: 0 }, dry_run: true };

changes("repo delete --dry-run says what would go", {
  args: ["repo", "delete", "team/app", "--dry-run"],
  request: "DELETE /admin/v1/repositories/team/app?dry_run=true",
  reply: DELETED,
  says: "Would delete team/app with 2 tags, 3 manifests, 1 blob, 0 uploads\n",
});

shows("tag list shows tags with their digests", {
  args: ["tag", "list", "team/app"],
  path: "/admin/v1/repositories/team/app/_tags?n=1000",
  reply: { tags: [{ tag: "v1", digest: DIGEST, media_type: "m", size: 1234, pushed_at: AT }] },
  table: `tag  digest               size     pushed                last pull
v1   sha256:0123456789ab  1.2 KiB  2025-03-31 22:00:05Z  never
`,
});

shows("tag history shows what a tag has pointed to", {
  args: ["tag", "history", "team/app", "v1"],
  path: "/admin/v1/repositories/team/app/_tags/v1/history",
  reply: {
    history: [{ digest: DIGEST, deleted: true, set_at: AT }, { digest: DIGEST, set_at: AT, by: "alice" }],
  },
  table: `since                 digest               by
2025-03-31 22:00:05Z  deleted
2025-03-31 22:00:05Z  sha256:0123456789ab  alice
`,
});

const OCI = "application/vnd.oci.image";
const IMAGE = {
  digest: DIGEST,
  media_type: `${OCI}.manifest.v1+json`,
  size: 500,
  config: { digest: DIGEST, media_type: `${OCI}.config.v1+json`, size: 2_000 },
  layers: [{ digest: DIGEST, media_type: `${OCI}.layer.v1.tar+gzip`, size: 30_000_000 }],
  manifests: [],
  referrers: [],
};

shows("manifest show draws the tree of an index, what is missing in it and what refers to it", {
  args: ["manifest", "show", "team/app", "v1"],
  path: "/admin/v1/repositories/team/app/_manifests/v1",
  reply: {
    digest: DIGEST,
    media_type: `${OCI}.index.v1+json`,
    size: 700,
    tags: ["v1"],
    layers: [],
    manifests: [
      { ...IMAGE, platform: { os: "linux", architecture: "arm64", variant: "v8" }, manifest: IMAGE },
      { digest: DIGEST, size: 500, platform: { os: "linux", architecture: "s390x" }, missing: true },
      { digest: DIGEST, size: 700, media_type: `${OCI}.index.v1+json`, cut: "depth" },
    ],
    referrers: [{ ...IMAGE, artifact_type: "application/spdx+json", layers: [] }],
    total_size: 30_003_200,
  },
  table: `digest
  ${DIGEST}
media type  application/vnd.oci.image.index.v1+json
tags        v1
in all      28.6 MiB

index                        sha256:0123456789ab      700 B
├─ linux/arm64/v8            sha256:0123456789ab      500 B
│  ├─ config                 sha256:0123456789ab    2.0 KiB  config
│  └─ layer 1                sha256:0123456789ab   28.6 MiB  layer.tar+gzip
├─ linux/s390x               sha256:0123456789ab      500 B  is missing
├─ index                     sha256:0123456789ab      700 B  cut: depth
└─ referrers
   └─ application/spdx+json  sha256:0123456789ab      500 B
      └─ config              sha256:0123456789ab    2.0 KiB  config
`,
});

shows("upload list shows uploads under way", {
  args: ["upload", "list"],
  path: "/admin/v1/uploads?n=1000",
  reply: { uploads: [{ repository: "team/app", id: "u1", size: 1_048_576, last_chunk_at: AT }] },
  table: "repository  upload  size     last bytes\nteam/app    u1      1.0 MiB  2025-03-31 22:00:05Z\n",
});

shows("df shows what takes the space, the largest first", {
  args: ["df"],
  path: "/admin/v1/usage?n=1000",
  reply: {
    repositories: [
      { name: "small", bytes: 10, unique_bytes: 0, blobs: 1 },
      { name: "large", bytes: 2_000_000_000, unique_bytes: 1_999_999_990, blobs: 12 },
    ],
    total: {
      bytes: 2_000_000_000,
      bytes_not_deduplicated: 2_000_000_010,
      blobs: 12,
      uploads_bytes: 0,
      garbage_bytes: 500,
    },
  },
  table: `repository  blobs  size     unique
large       12     1.9 GiB  1.9 GiB
small       1      10 B     0 B

on disk                1.9 GiB in 12 blobs
without deduplication  1.9 GiB
uploads under way      0 B
garbage                500 B
`,
});

const LATENCY = { p50: 0.121, p99: 4, max: 120.5 };
const PLUGIN = {
  name: "fs",
  kind: "storage",
  version: "1.0.0",
  isolation: "worker",
  permissions: { read: ["/var/lib/sreg"], write: ["/var/lib/sreg"], net: [] },
  state: "running",
  calls: 1200,
  failures: 1,
  latency_ms: LATENCY,
  restarts: 0,
  started_at: AT,
};

shows("plugin list shows what plugins may touch and how they do, in 80 columns", {
  args: ["plugin", "list"],
  path: "/admin/v1/plugins",
  reply: { plugins: [PLUGIN] },
  table: `plugin  kind     may touch             state    calls  failed  p99 ms  restarts
fs      storage  read: /var/lib/sreg   running  1200   1       4.00    0
1.0.0   worker   write: /var/lib/sreg
`,
});

shows("plugin show shows options and methods", {
  args: ["plugin", "show", "fs"],
  path: "/admin/v1/plugins/fs",
  reply: {
    ...PLUGIN,
    description: "Files",
    options: { root: "/var/lib/sreg", secret: "***" },
    methods: [{ name: "get", calls: 0, failures: 0, latency_ms: { p50: null, p99: null, max: null } }],
  },
  table: `plugin         fs
description    Files
kind           storage
version        1.0.0
isolation      worker
state          running
running since  2025-03-31 22:00:05Z
restarts       0
calls          1200, 1 failed
latency        p50 0.12 ms, p99 4.00 ms, max 121 ms
may touch      read: /var/lib/sreg; write: /var/lib/sreg
option root    /var/lib/sreg
option secret  ***

method  calls  failed  p50 ms  p99 ms  max ms
get     0      0       -       -       -
`,
});

const STATUS = {
  version: "0.1.0",
  started_at: AT,
  uptime_s: 93_784,
  deno: "2.9.6",
  listen: ["http://127.0.0.1:5000"],
  storage: { plugin: "fs", reachable: true },
  repositories: 7,
  config: { files: ["sreg.toml"], loaded_at: AT },
};

Deno.test("sregctl status shows how the server is, and answers 1 where its storage is away", async () => {
  await using desk = await openDesk({});
  let reachable = true;
  await using server = serve({
    "GET /admin/v1/status": () => ({ ...STATUS, storage: { plugin: "fs", reachable } }),
  });
  const table = (storage: string) =>
    `server         ${server.url}
version        sreg 0.1.0, Deno 2.9.6
up for         1 d 2 h, since 2025-03-31 22:00:05Z
listens at     http://127.0.0.1:5000
storage        fs, ${storage}
repositories   7
running job    none
configuration  sreg.toml, read 2025-03-31 22:00:05Z
`;
  assertEquals(await run(desk, server, ["status"]), printed(0, table("reachable")));
  reachable = false;
  assertEquals(await run(desk, server, ["status"]), printed(1, table("NOT REACHABLE")));
});

shows("audit search shows who did what", {
  args: ["audit", "search", "--actor", "alice", "--outcome", "denied"],
  path: "/admin/v1/audit?actor=alice&outcome=denied&n=100",
  reply: {
    events: [{
      id: "1",
      at: AT,
      actor: { id: "a", username: "alice", address: "127.0.0.1" },
      action: "delete-manifest",
      target: "team/app:v1",
      outcome: "denied",
      detail: {},
    }],
  },
  table: `at                    who    action           target       outcome
2025-03-31 22:00:05Z  alice  delete-manifest  team/app:v1  denied
`,
});

shows("audit search says which jobs were begun, and what was a dry run", {
  args: ["audit", "search"],
  path: "/admin/v1/audit?n=100",
  reply: {
    events: [
      ["admin.start-job", "jobs/j1", { request: { kind: "gc", options: { dry_run: true } } }],
      ["admin.start-job", "jobs/j0", { request: { kind: "scrub", options: {} } }],
      ["admin.delete-repository", "repositories/a", { query: { dry_run: "true" } }],
      ["admin.delete-repository", "repositories/a", {}],
    ].map(([action, target, detail]) => ({
      id: "1",
      at: AT,
      actor: { username: "root" },
      action,
      target,
      outcome: "done",
      detail,
    })),
  },
  table: `at                    who   action                   target          outcome
2025-03-31 22:00:05Z  root  admin.start-job          jobs/j1         done
                                                     (gc, dry run)
2025-03-31 22:00:05Z  root  admin.start-job          jobs/j0         done
                                                     (scrub)
2025-03-31 22:00:05Z  root  admin.delete-repository  repositories/a  done
                                                     (dry run)
2025-03-31 22:00:05Z  root  admin.delete-repository  repositories/a  done
`,
});

shows("config show shows every value with its key", {
  args: ["config", "show"],
  path: "/admin/v1/config",
  reply: {
    files: ["sreg.toml"],
    loaded_at: AT,
    config: {
      server: { port: 5000, tls: {} },
      audit: { keep_ms: 7_776_000_000 },
      jobs: { lease_lifetime_ms: 1_500 },
      blobs: { cache_size_bytes: 128_000_000 },
      b: { some_bytes: 1_048_576_000, none_bytes: 0 },
      auths: [{ plugin: "password", options: { identities: [] } }],
      users: ["a"],
    },
  },
  table: `files  sreg.toml
read   2025-03-31 22:00:05Z

server.port                  5000
audit.keep                   "90d"
jobs.lease_lifetime          "1500ms"
blobs.cache_size             "128MB"
b.some                       "1000MiB"
b.none                       "0B"
auths[0].plugin              "password"
auths[0].options.identities  []
users                        ["a"]
`,
});
