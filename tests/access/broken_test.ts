import { assertEquals } from "../support/assert.ts";
import { makeCertificate } from "../support/certificate.ts";
import { hasProgram } from "../support/programs.ts";
import { type Configured, FREE_PORT, startConfigured } from "./configured.ts";
import { basic, clientsOf, identitiesOf } from "./scene.ts";

const TOOK_OVER = "Took over the configuration";
const KEPT = "Cannot take over the configuration; the one before stays in force";

const IDENTITIES = await identitiesOf({ reader: "reader-password" });

function configure(folder: string): string {
  return `[server]
${FREE_PORT}[storage.fs]
root_dir = "${folder}/data"
${IDENTITIES}[[binding]]
role = "pull"
users = ["reader"]
`;
}

const LINES = configure("").split("\n").length;

/** What is added to a configuration that is good, and what is said of it, after the name of the file. */
const BROKEN: readonly (readonly [name: string, added: string, said: string])[] = [
  ["what is not TOML", "[server\n", `${LINES}:8: not TOML: illegal character in key`],
  [
    "an unknown key",
    "[global]\nimmutable = true\n",
    `${LINES + 1}:1: global.immutable: unknown key, did you mean immutable_tags?`,
  ],
  [
    "a rule that means nothing",
    `[global.access_policy]\nrules = ["identity.usernam == 'x'"]\n`,
    `${
      LINES + 1
    }:20: global.access_policy.rules.0: unknown variable "identity.usernam", did you mean "identity.username"?`,
  ],
  [
    "a verb that there is not",
    `[role.x]\nverbs = ["pul"]\n`,
    `${LINES + 1}:11: role.x.verbs.0: unknown verb "pul", did you mean "pull"?`,
  ],
  [
    "a role that there is not",
    `[[binding]]\nrole = "guest"\nusers = ["x"]\n`,
    `${LINES + 1}:9: binding.1.role: unknown role "guest", there are: admin, push, pull`,
  ],
  [
    "tags that are no expression",
    `[global]\nimmutable_tags_exclusions = ["("]\n`,
    `${
      LINES + 1
    }:30: global.immutable_tags_exclusions.0: expected a tag or a regular expression (RE2), found "("`,
  ],
];

Deno.test("A file that cannot be used changes nothing, and is told by its line:", async (t) => {
  await using registry = await startConfigured(configure);
  const { as, nobody } = clientsOf(registry.url);
  const good = configure(registry.folder);
  const states =
    async () => [(await as("reader").get("/v2/")).status, (await nobody.get("/v2/_catalog")).status];
  for (const [name, added, said] of BROKEN) {
    await t.step(name, async () => {
      const { message, level, reason } = await registry.replace(good + added);
      const [title, problem] = (reason as string).split("\n");
      assertEquals([level, message, title, problem], [
        "error",
        KEPT,
        "Cannot use the configuration: 1 problem",
        `${registry.file}:${said}`,
      ]);
      assertEquals(await states(), [200, 401]);
    });
  }
  await t.step("no file at all", async () => {
    await Deno.rename(registry.file, `${registry.file}.away`);
    const { message, reason } = await registry.reload();
    assertEquals([message, (reason as string).split("\n")[1]], [
      KEPT,
      `${registry.file}: cannot be read: no such file`,
    ]);
    assertEquals(await states(), [200, 401]);
  });
  await t.step("and a good one is taken over again", async () => {
    const { message } = await registry.replace(good.replace('users = ["reader"]', 'users = ["other"]'));
    assertEquals([message, await states()], [TOOK_OVER, [403, 401]]);
  });
});

Deno.test("What only a restart can change is told by its name, and changes nothing", async () => {
  await using registry = await startConfigured(configure);
  const good = configure(registry.folder);
  const cases: [text: string, keys: string][] = [
    [good.replace("port = 0", "port = 1"), "server.port"],
    [
      good.replace("127.0.0.1", "127.0.0.2").replace("port = 0", "port = 1"),
      "server.bind_address, server.port",
    ],
    [good.replace("/data", "/other"), "storage.fs.root_dir"],
    [good.replace(/\[storage\.fs\]\n.*\n/, "[storage.memory]\n"), "storage"],
  ];
  for (const [text, keys] of cases) {
    const { message, reason } = await registry.replace(text);
    assertEquals([message, reason], [KEPT, `only a restart can change ${keys}`]);
  }
  assertEquals((await clientsOf(registry.url).as("reader").get("/v2/")).status, 200);
});

/** Asks over one connection, again and again, until told to stop; answers what was answered, each in one text. */
async function ask(host: string, head: () => string, signal: AbortSignal): Promise<string[]> {
  const { hostname, port } = new URL(`http://${host}`);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const answers: string[] = [];
  const buffer = new Uint8Array(65_536);
  while (!signal.aborted) {
    await connection.write(new TextEncoder().encode(head()));
    let answer = "";
    while (!answer.endsWith("\r\n\r\n")) {
      const count = await connection.read(buffer);
      if (count === null) {
        throw new Error(`The connection was dropped after ${answers.length} answers: ${answer}`);
      }
      answer += new TextDecoder().decode(buffer.subarray(0, count));
    }
    const challenges = [...answer.matchAll(/^www-authenticate: (.*)\r$/gim)].map(([, challenge]) =>
      challenge
    );
    answers.push([answer.slice(9, 12), challenges.join(", ")].join(" ").trim());
  }
  return answers;
}

/** Under "one" the reader has a password and reads what is the team's; under "two" another, and reads what is secret. */
async function half(folder: string, name: "one" | "two"): Promise<string> {
  const challenges = name === "one" ? '["bearer", "basic"]' : '["basic", "bearer"]';
  return `[server]
${FREE_PORT}trusted_proxies = ["127.0.0.1"]
[storage.fs]
root_dir = "${folder}/data"
[access]
challenges = ${challenges}
token_service = "${name}"
${await identitiesOf({ reader: name })}[role.read]
verbs = ["pull"]
repositories = ["${name === "one" ? "team" : "secret"}"]
[[binding]]
role = "read"
users = ["reader"]
`;
}

Deno.test("While the configuration changes no connection is dropped, and no request sees half of it", async () => {
  await using registry = await startConfigured((folder) => half(folder, "one"));
  const texts = [await half(registry.folder, "two"), await half(registry.folder, "one")];
  const stop = new AbortController();
  let addresses = 0;
  const head = (path: string, ...lines: string[]) =>
    [`HEAD ${path} HTTP/1.1`, `Host: ${registry.host}`, ...lines, "", ""].join("\r\n");
  // Each from an address of its own, so that no wrong password counts against another.
  const address = () =>
    `X-Forwarded-For: 10.${addresses >> 16}.${(addresses >> 8) & 255}.${addresses++ & 255}`;
  const signedIn = (path: string, password: string) => () =>
    head(path, `Authorization: ${basic("reader", password)}`, address());
  const asking = [
    () => head("/v2/"),
    signedIn("/v2/team/app/tags/list", "one"),
    signedIn("/v2/secret/app/tags/list", "one"),
    signedIn("/v2/team/app/tags/list", "two"),
    signedIn("/v2/secret/app/tags/list", "two"),
  ].map((next) => ask(registry.host, next, stop.signal));
  for (let round = 0; round < 10; round++) {
    assertEquals((await registry.replace(texts[round % 2]!))["message"], TOOK_OVER);
  }
  stop.abort();
  const answers = await Promise.all(asking);
  const basicChallenge = 'Basic realm="sreg", charset="UTF-8"';
  const bearer = (service: string) => `Bearer realm="${registry.url}/token",service="${service}"`;
  const one = `401 ${bearer("one")}, ${basicChallenge}`;
  const two = `401 ${basicChallenge}, ${bearer("two")}`;
  // What is allowed is there no repository for: 404.
  assertEquals(answers.map((texts) => [...new Set(texts)].sort()), [
    [one, two].sort(),
    ["404", two].sort(),
    [two, "403"].sort(),
    [one, "403"].sort(),
    ["404", one].sort(),
  ]);
});

Deno.test({
  name: "Certificates change while connections go on (openssl)",
  ignore: !hasProgram("openssl"),
  fn: async () => {
    const tls = (folder: string) => `
[server.tls]
server_certificate_bundle = "${folder}/tls/server.crt"
server_private_key = "${folder}/tls/server.key"
`;
    await using registry = await startConfigured(async (folder) => {
      await Deno.mkdir(`${folder}/tls`);
      await makeCertificate(`${folder}/tls`);
      return configure(folder) + tls(folder);
    });
    const good = configure(registry.folder) + tls(registry.folder);
    const authority = `${registry.folder}/tls/authority/ca.crt`;
    const before = await Deno.readTextFile(authority);
    using kept = await connect(registry, before);
    assertEquals(await status(kept), "401");
    await makeCertificate(`${registry.folder}/tls`);
    const after = await Deno.readTextFile(authority);
    assertEquals((await registry.replace(good))["message"], TOOK_OVER);
    assertEquals(await status(kept), "401");
    assertEquals([await trusts(registry, before), await trusts(registry, after)], [false, true]);

    const key = `${registry.folder}/tls/server.key`;
    await Deno.writeTextFile(key, "no key");
    const { message, reason } = await registry.replace(good);
    assertEquals(message, KEPT);
    const line = configure(registry.folder).split("\n").length + 3;
    const said =
      `${registry.file}:${line}:22: server.tls.server_private_key: expected a PEM private key, found none in ${key}`;
    assertEquals((reason as string).split("\n")[1], said);
    assertEquals([await trusts(registry, after), await status(kept)], [true, "401"]);
    const off = await registry.replace(configure(registry.folder));
    assertEquals([off["message"], off["reason"]], [KEPT, "only a restart can change server.tls"]);
  },
});

async function connect({ host }: Configured, authority: string): Promise<Deno.TlsConn> {
  const { hostname, port } = new URL(`https://${host}`);
  const connection = await Deno.connectTls({ hostname, port: Number(port), caCerts: [authority] });
  await connection.handshake();
  return connection;
}

async function trusts(registry: Configured, authority: string): Promise<boolean> {
  try {
    using _ = await connect(registry, authority);
    return true;
  } catch {
    return false;
  }
}

/** The status of an answer over a connection that is kept. */
async function status(connection: Deno.TlsConn): Promise<string> {
  await connection.write(new TextEncoder().encode("HEAD /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let answer = "";
  while (!answer.endsWith("\r\n\r\n")) {
    answer += decoder.decode(buffer.subarray(0, (await connection.read(buffer))!));
  }
  return answer.slice(9, 12);
}
