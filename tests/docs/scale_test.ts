/** What docs/scale.md shows is read as its programs read it, and held against itself. */

import { parse as parseToml } from "smol-toml";
import { ROUTES } from "../../server/api/routes.ts";
import { RegistryClient } from "../support/client.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { runCommand } from "../support/command.ts";
import { hasProgram } from "../support/programs.ts";
import { join } from "../support/paths.ts";
import { ROOT, sregArguments, sregEnvironment, startRegistry } from "../support/registry.ts";
import {
  type Container,
  containerfileArray,
  type KubernetesObject,
  loadTexts,
  readCompose,
  readKubernetes,
  readScaleFile,
  SCALE,
} from "./scale_files.ts";

const PAGE = await Deno.readTextFile(`${ROOT}docs/scale.md`);
const COMPOSE = await readCompose();
const OBJECTS = await readKubernetes();
const CONTAINERFILE = await readScaleFile("Containerfile");
const HAPROXY = await readScaleFile("haproxy.cfg");
const SREG_TOML = await readScaleFile("sreg.toml");
const STORE_TOML = await readScaleFile("store.toml");
const PORT = 5000;

/** Where a `store.toml` says that the store and Redis are. */
interface StoreTables {
  readonly storage: {
    readonly s3: Readonly<Record<"endpoint" | "bucket" | "access_key_id" | "secret_key" | "region", string>>;
  };
  readonly lock_store: { readonly redis: { readonly url: string } };
  readonly cache_store: { readonly redis: { readonly url: string } };
}

const STORE = parseToml(STORE_TOML) as unknown as StoreTables;

function object(kind: string, name: string): KubernetesObject {
  const found = OBJECTS.filter((candidate) => candidate.kind === kind && candidate.metadata.name === name);
  assertEquals(found.length, 1, `${kind} ${name}`);
  return found[0]!;
}

function podOf(name: string) {
  return object("Deployment", name).spec.template.spec;
}

function portOf({ ports }: Container, name: string): number {
  return ports.find((port) => port.name === name)!.containerPort;
}

/** The code blocks of the page that hold JSON of a kind. */
function readJson(kind: string): unknown {
  const [block, ...others] = PAGE.matchAll(new RegExp(`^\`\`\`json ${kind}\\n(.*?)^\`\`\`$`, "gms"));
  assertEquals(others.length, 0);
  return JSON.parse(block![1]!);
}

Deno.test("docs/scale.md links every file of docs/scale, and says how to size it", async () => {
  const files = (await Array.fromAsync(Deno.readDir(SCALE))).map(({ name }) => name).sort();
  const linked = [...PAGE.matchAll(/^\| \[scale\/([^\]]+)\]\(scale\/([^)]+)\)/gm)].map(([, text, to]) => {
    assertEquals(text, to);
    return text;
  });
  assertEquals(linked.sort(), files);
  for (const replicas of [1, 2, 3]) {
    assertMatch(PAGE, new RegExp(`^\\| +${replicas} \\|(?: +[\\d,]+ \\|){4}$`, "m"));
  }
});

Deno.test("docs/scale/sreg.toml and store.toml are one configuration, of replicas that others reach", async () => {
  const { server, storage } = await loadTexts({ "sreg.toml": SREG_TOML, "store.toml": STORE_TOML });
  assertEquals([server.bindAddress, server.port, storage.name], ["0.0.0.0", PORT, "s3"]);
  assertEquals([storage.options["bucket"], storage.options["key_prefix"]], ["sreg", "registry/"]);
});

Deno.test("the Containerfile starts sreg as its task does, with the runtime that CI has", async () => {
  const [program, ...args] = containerfileArray(CONTAINERFILE, "ENTRYPOINT");
  assertEquals([program, ...args.filter((arg) => arg !== "--cached-only")], ["deno", ...sregArguments()]);
  const environment = Object.entries(sregEnvironment()).map(([name, value]) => `${name}=${value}`);
  for (const entry of environment) assert(CONTAINERFILE.includes(`\nENV ${entry}\n`), entry);
  const [, version] = /^readonly deno_version=(\S+)$/m.exec(await Deno.readTextFile(`${ROOT}.ci/run`))!;
  assert(CONTAINERFILE.includes(` deno@${version}\n`));
  assertMatch(CONTAINERFILE, new RegExp(`^EXPOSE ${PORT}$`, "m"));
});

Deno.test("the Containerfile takes all that sreg is made of, and what its plugins import", async () => {
  const copied = [...CONTAINERFILE.matchAll(/^COPY (.*) \S+$/gm)].flatMap(([, from]) => from!.split(" "));
  for (const path of copied) await Deno.stat(join(ROOT, path));
  assertEquals(copied, ["deno.json", "deno.lock", "server", "plugins", "cli"]);
  const [, command] = /\$\((grep [^)]*)\)/.exec(CONTAINERFILE)!;
  const listed = await runCommand("sh", ["-c", command!], { cwd: ROOT });
  const entries = await Array.fromAsync(pluginEntries(`${ROOT}plugins`));
  assertEquals(listed.trim().split("\n").sort(), entries.map((entry) => entry.slice(ROOT.length)).sort());
});

/** The entry modules of the built-in plugins. */
async function* pluginEntries(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* pluginEntries(path);
    else if (name === "plugin.toml") {
      yield `${folder}/${(parseToml(await Deno.readTextFile(path)) as { entry: string }).entry}`;
    }
  }
}

Deno.test("the compose file runs three replicas with the files of docs/scale where they are looked for", async () => {
  const { sreg } = COMPOSE.services;
  assertEquals(sreg!.deploy!.replicas, 3);
  assertEquals(join(SCALE, sreg!.build!.context, sreg!.build!.dockerfile), `${SCALE}/Containerfile`);
  const paths = containerfileArray(CONTAINERFILE, "CMD").filter((arg) => arg.startsWith("/"));
  const mounted = sreg!.volumes!.map((volume) => volume.split(":"));
  assertEquals(mounted.map(([, to]) => to), paths);
  for (const [from] of mounted) await Deno.stat(join(SCALE, from!));
  assert(Number.parseInt(sreg!.stop_grace_period!) * 1000 > await stopGraceMs());
});

Deno.test("the compose file's services are those that its configurations name, and know the same secrets", () => {
  const { s3, bucket, redis, proxy, sreg } = COMPOSE.services;
  const { endpoint, access_key_id, secret_key, region, bucket: name } = STORE.storage.s3;
  const listens = s3!.command!.indexOf("--port") + 1;
  assertEquals(endpoint, `http://s3${s3!.command![listens]}`);
  assertEquals(s3!.environment, { ROOT_ACCESS_KEY: access_key_id, ROOT_SECRET_KEY: secret_key });
  const [script] = bucket!.command!;
  assert(script!.includes(`--request PUT ${endpoint}/${name} `));
  assert(script!.includes(`--user ${access_key_id}:${secret_key} `));
  assert(script!.includes(`--aws-sigv4 aws:amz:${region}:s3 `));
  for (const { redis: { url } } of [STORE.lock_store, STORE.cache_store]) {
    const { hostname, port, password } = new URL(url);
    assertEquals([hostname, port], ["redis", "6379"]);
    assertEquals(redis!.command![redis!.command!.indexOf("--requirepass") + 1], password);
  }
  assertEquals(Object.keys(sreg!.depends_on!).sort(), ["bucket", "redis"]);
  assertEquals(proxy!.ports, [`127.0.0.1:5000:${/^ {2}bind :(\d+)$/m.exec(HAPROXY)![1]}`]);
  const volumes = s3!.volumes!.map((volume) => volume.split(":"));
  assertEquals(volumes, [["objects", s3!.command!.at(-1)]]);
  assertEquals(Object.keys(COMPOSE.volumes), ["objects"]);
});

Deno.test("haproxy.cfg sends requests to three replicas at their port", () => {
  assertMatch(HAPROXY, new RegExp(`^ {2}server-template sreg 3 sreg:${PORT} `, "m"));
  assertMatch(HAPROXY, /^ {2}balance roundrobin$/m);
  assert(!/\b(?:cookie|stick|source|hash)\b/.test(HAPROXY));
});

Deno.test({
  name: "haproxy.cfg is a configuration of HAProxy (haproxy)",
  ignore: !hasProgram("haproxy"),
  fn: async () => void await runCommand("haproxy", ["-c", "-q", "-f", `${SCALE}/haproxy.cfg`]),
});

Deno.test("the manifest's configurations are those of docs/scale, and one that sreg can read", async () => {
  assertEquals(object("ConfigMap", "sreg").data, { "sreg.toml": SREG_TOML });
  const { "store.toml": store, "redis-password": password } = object("Secret", "sreg").stringData!;
  const { server, storage } = await loadTexts({ "sreg.toml": SREG_TOML, "store.toml": store! });
  assertEquals([server.port, storage.name], [portOf(podOf("sreg").containers[0], "http"), "s3"]);
  const tables = parseToml(store!) as unknown as StoreTables;
  for (const { redis: { url } } of [tables.lock_store, tables.cache_store]) {
    const { hostname, port, password: shown } = new URL(url);
    const [service] = object("Service", hostname).spec.ports;
    assertEquals([String(service!.port), shown], [port, password]);
  }
});

Deno.test("the manifest starts sreg with files that are mounted", () => {
  const { containers: [container], volumes } = podOf("sreg");
  const files = container.volumeMounts!.flatMap(({ name, mountPath }) => {
    const volume = volumes!.find((candidate) => candidate.name === name)!;
    const keys = volume.configMap
      ? object("ConfigMap", volume.configMap.name).data!
      : volume.secret
      ? object("Secret", volume.secret.secretName).stringData!
      : {};
    return Object.keys(keys).map((key) => `${mountPath}/${key}`);
  });
  const [command, ...flags] = container.args;
  assertEquals(command, "serve");
  assertEquals(flags.map((flag) => flag.split("=")[0]), [
    "--config",
    "--config",
    "--admin-name",
    "--admin-password-file",
  ]);
  const named = flags.map((flag) => flag.split("=")[1]!).filter((value) => value.startsWith("/"));
  assertEquals(named.filter((file) => !files.includes(file)), []);
  assertEquals(named.length, 3);
  const { runAsUser, runAsGroup } = podOf("sreg").securityContext;
  assertMatch(CONTAINERFILE, new RegExp(`^USER ${runAsUser}:${runAsGroup}$`, "m"));
});

Deno.test("the manifest's secrets are those that its containers ask for", () => {
  const asked = podOf("redis").containers[0].env!.map(({ valueFrom }) => valueFrom.secretKeyRef);
  assertEquals(asked.map(({ name, key }) => object("Secret", name).stringData![key]), ["change-me"]);
  assert(podOf("redis").containers[0].args.includes("$(REDIS_PASSWORD)"));
});

Deno.test("the manifest's Services and its budget are for the pods that there are", () => {
  for (const name of ["sreg", "redis"]) {
    const { template, selector } = object("Deployment", name).spec;
    assertEquals(selector.matchLabels, template.metadata.labels);
    const service = object("Service", name).spec;
    assertEquals(service.selector as object, template.metadata.labels);
    for (const { targetPort } of service.ports) assert(portOf(template.spec.containers[0], targetPort) > 0);
  }
  const budget = object("PodDisruptionBudget", "sreg").spec;
  assertEquals([budget.selector.matchLabels, budget.maxUnavailable], [{ app: "sreg" }, 1]);
  const namespaces = OBJECTS.filter(({ kind }) => kind !== "Namespace").map(({ metadata }) =>
    metadata.namespace
  );
  assertEquals(new Set(namespaces), new Set([object("Namespace", "sreg").metadata.name]));
});

Deno.test("the manifest rolls three replicas without losing one, and gives requests their time", async () => {
  const { replicas, strategy, template: { spec } } = object("Deployment", "sreg").spec;
  assertEquals([replicas, strategy.rollingUpdate], [3, { maxSurge: 1, maxUnavailable: 0 }]);
  const [program, seconds] = spec.containers[0].lifecycle!.preStop.exec.command;
  assertEquals(program, "sleep");
  assert(spec.terminationGracePeriodSeconds * 1000 > Number(seconds) * 1000 + await stopGraceMs());
});

/** How long a server gives requests under way when it is to stop. */
async function stopGraceMs(): Promise<number> {
  const [, ms] = /^const STOP_GRACE_MS = ([\d_]+);$/m.exec(await Deno.readTextFile(`${ROOT}server/main.ts`))!;
  return Number(ms!.replaceAll("_", ""));
}

Deno.test("the probes get their answers of a registry that is closed to the anonymous", async () => {
  const { containers: [container] } = podOf("sreg");
  const { readinessProbe, livenessProbe, startupProbe } = container;
  for (const { httpGet, tcpSocket } of [readinessProbe, livenessProbe!, startupProbe!]) {
    assertEquals(portOf(container, (httpGet ?? tcpSocket)!.port), PORT);
  }
  const [, uri] = /^ {2}http-check send meth GET uri (\S+)$/m.exec(HAPROXY)!;
  const [, statuses] = /^ {2}http-check expect status (\S+)$/m.exec(HAPROXY)!;
  const { path } = readinessProbe.httpGet!;
  assertEquals(ROUTES.filter((route) => [path, uri].includes(route.path)).map((route) => route.path), [
    uri,
    path,
  ]);

  const env = { SREG_ADMIN_NAME: "admin", SREG_ADMIN_PASSWORD: "secret" };
  await using open = await startRegistry();
  await using closed = await startRegistry({ env });
  for (const { url } of [open, closed]) {
    const client = new RegistryClient(url);
    assertEquals((await client.get(path)).status, 200);
    assert(statuses!.split(",").includes(String((await client.get(uri!)).status)));
  }
});

Deno.test("docs/scale.md shows rights and a lifecycle for the bucket and the keys of sreg.toml", () => {
  const { bucket } = STORE.storage.s3;
  const { storage } = parseToml(SREG_TOML) as unknown as { storage: { s3: { key_prefix: string } } };
  const prefix = storage.s3.key_prefix;
  const { Statement } = readJson("iam") as { Statement: { Effect: string; Resource: string }[] };
  assertEquals(Statement.map(({ Effect, Resource }) => [Effect, Resource]), [
    ["Allow", `arn:aws:s3:::${bucket}`],
    ["Allow", `arn:aws:s3:::${bucket}/${prefix}*`],
  ]);
  assertEquals(readJson("lifecycle"), {
    Rules: [{
      ID: "sreg-leftovers",
      Status: "Enabled",
      Filter: { Prefix: prefix },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
      NoncurrentVersionExpiration: { NoncurrentDays: 30 },
    }],
  });
});
