import type { Bytes } from "../../plugins/contract/storage.ts";
import { startAccessChain } from "../../server/access_chain.ts";
import { policyRoutes } from "../../server/admin/policy.ts";
import type { Call, Endpoint, Word } from "../../server/api/endpoint.ts";
import { errorAnswer } from "../../server/api/error_answer.ts";
import { readConfig } from "../../server/config/mod.ts";
import type { Log } from "../../server/observe/log.ts";
import type { Registry } from "../../server/registry/registry.ts";
import { assertEquals } from "../support/assert.ts";
import { CONFIG, type Desk, openDesk, printed, refused } from "./scene.ts";

const nothing = () => {};
const SILENT: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** A server of nothing but the endpoint, over the policies of the desk's sreg.toml. */
async function serveDecisions(desk: Desk) {
  const { config, sources } = await readConfig({ files: ["sreg.toml"], cwd: desk.folder });
  const chain = await startAccessChain({ config: { ...config, auths: [] }, sources, log: SILENT });
  const policies = chain.policies.map(({ name, contract }) => ({ name, policy: contract }));
  const credentials: (string | null)[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: nothing }, async (request) => {
    const { headers, body } = request;
    credentials.push(headers.get("Authorization"));
    const call = { headers, body: body as Bytes, access: { policies, hasAuth: true } };
    const [{ endpoint }] = policyRoutes() as unknown as [{ endpoint: Endpoint<Word> }];
    return await endpoint({} as Registry, call as unknown as Call<Word>).catch((error: unknown) =>
      errorAnswer(error, SILENT)
    );
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    credentials,
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await chain.close();
    },
  };
}

const CASE = `[[case]]
name = "alice pushes"
identity = "alice-id"
action = "put-manifest"
repository = "team/app"
expect = "allow"
`;

Deno.test("sregctl policy test --server asks the server's policies, with the credentials of the environment", async () => {
  await using desk = await openDesk({ "sreg.toml": CONFIG, "cases.toml": CASE });
  await using server = await serveDecisions(desk);
  const args = ["policy", "test", "cases.toml", "-c", "sreg.toml", "--server", server.url];
  const passed = printed(
    0,
    `    case          expected  decision  deciding rule
ok  alice pushes  allow     allow     repository."team/*".access_policy.rules[0]

1 case, all as expected
`,
  );
  assertEquals(await desk.run(args, { SREG_USERNAME: "root", SREG_PASSWORD: "pä:ss" }), passed);
  assertEquals(await desk.run(args, { SREG_TOKEN: "sreg_token" }), passed);
  assertEquals(await desk.run(args), passed);
  const basic = `Basic ${new TextEncoder().encode("root:pä:ss").toBase64()}`;
  assertEquals(server.credentials, [basic, "Bearer sreg_token", null]);
});

Deno.test("sregctl policy test --server asks about more cases than fit into a request", async () => {
  const name = "x".repeat(2_000);
  const many = Array.from({ length: 60 }, (_, index) =>
    `[[case]]
name = "case ${index}"
identity = { username = "${name}", groups = ["${index % 2 === 0 ? "developers" : "others"}"] }
action = "put-manifest"
repository = "team/app"
expect = "${index % 2 === 0 ? "allow" : "deny"}"
`);
  await using desk = await openDesk({ "sreg.toml": CONFIG, "cases.toml": many.join("\n") });
  await using server = await serveDecisions(desk);
  const { code, stdout } = await desk.run(["policy", "test", "cases.toml", "--server", server.url]);
  assertEquals([code, stdout.split("\n").at(-2)], [0, "60 cases, all as expected"]);
  assertEquals(server.credentials.length, 6);
});

Deno.test("sregctl policy test --server says why a server cannot be asked", async () => {
  await using desk = await openDesk({ "cases.toml": CASE.replace("alice-id", "root"), "sreg.toml": CONFIG });
  const named = CASE.replace('identity = "alice-id"\n', "");
  await Deno.writeTextFile(`${desk.folder}/cases.toml`, named);
  await using closed = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: nothing },
    ({ headers }) =>
      headers.has("Authorization")
        ? new Response("hello")
        : Response.json({ errors: [{ code: "DENIED", message: "access is\u001b[2J denied" }] }, {
          status: 403,
        }),
  );
  const ask = (url: string, env = {}) => desk.run(["policy", "test", "cases.toml", "--server", url], env);
  const url = `http://127.0.0.1:${closed.addr.port}`;
  assertEquals(await ask(url), refused(`sregctl: Cannot ask ${url}: 403 access is\\u{1b}[2J denied\n`));
  assertEquals(
    await ask(url, { SREG_TOKEN: "x" }),
    refused(`sregctl: Cannot ask ${url}: its answer is not one of sreg's\n`),
  );
  assertEquals(
    await ask("registry.example"),
    refused('sregctl: Cannot ask "registry.example": expected a URL such as https://registry.example\n'),
  );
  assertEquals(
    await ask("http://a:b@registry.example"),
    refused(
      "sregctl: Cannot ask the server: SREG_USERNAME and SREG_PASSWORD carry credentials, not the URL\n",
    ),
  );
});

async function post(url: string, body: unknown): Promise<[status: number, answer: unknown]> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return [answer.status, await answer.json()];
}

const QUESTION = { action: "get-manifest", repository: "public/app" };

Deno.test("POST /admin/v1/policy/decide answers decisions in order, and the rules' verdicts where they are asked for", async () => {
  await using desk = await openDesk({ "sreg.toml": CONFIG });
  await using server = await serveDecisions(desk);
  const root = { action: "delete-blob", repository: "x", identity: { username: "root" } };
  const allowed = {
    decision: "allow",
    rule: 'repository."public/**".access_policy.rules[0]',
    reason: "the rule is true",
    warnings: [],
  };
  assertEquals(await post(server.url, { questions: [root, QUESTION] }), [200, {
    decisions: [
      { decision: "allow", rule: "role.admin", reason: 'bound to user "root"', warnings: [] },
      allowed,
    ],
  }]);
  assertEquals(await post(server.url, { questions: [QUESTION], explain: true }), [200, {
    decisions: [{
      ...allowed,
      verdicts: [
        {
          policy: "cel",
          rule: 'repository."public/**".access_policy.rules[0]',
          text: 'request.action == "get-manifest"',
          verdict: "true",
        },
        { policy: "rbac", rule: "role.admin", text: "*, admin.* on **, for user root", verdict: "false" },
      ],
    }],
  }]);
});

Deno.test("POST /admin/v1/policy/decide refuses what is no question, and says where", async () => {
  await using desk = await openDesk({ "sreg.toml": CONFIG });
  await using server = await serveDecisions(desk);
  const refusal = async (body: unknown) => {
    const [status, answer] = await post(server.url, body);
    const { errors } = answer as { errors: { message: string }[] };
    return `${status} ${errors[0]!.message}`;
  };
  assertEquals([
    await refusal({}),
    await refusal({ questions: "x" }),
    await refusal({ questions: Array(1_001).fill(0) }),
    await refusal({ questions: [QUESTION, 7] }),
    await refusal({ questions: [{ action: "fly" }] }),
    await refusal({ questions: [{ action: "get-blob" }] }),
    await refusal({ questions: [{ ...QUESTION, reference: "a b" }] }),
    await refusal({ questions: [{ ...QUESTION, when: 1 }] }),
    await refusal({ questions: [{ ...QUESTION, identity: { groups: [1] } }] }),
    await refusal({ questions: [{ ...QUESTION, identity: { certificate: [] } }] }),
    await refusal({ questions: [], explain: "yes" }),
    await refusal({ questions: [], more: 1 }),
  ], [
    "400 Cannot read the request: questions: it is missing",
    "400 Cannot read the request: questions: it does not fit",
    "400 Cannot read the request: questions: at most 1000",
    "400 Cannot read the question: questions[1]: expected an object",
    "400 Cannot read the question: questions[0].action: expected an action",
    "400 Cannot read the question: questions[0].repository: expected a repository",
    "400 Cannot read the question: questions[0].reference: expected a reference",
    "400 Cannot read the question: questions[0]: expected only identity, action, repository, reference, " +
    "digest, tags, client_address, method, time",
    "400 Cannot read the question: questions[0].identity.groups: expected a list of strings",
    "400 Cannot read the question: questions[0].identity.certificate: expected an object",
    "400 Cannot read the request: explain: it does not fit",
    '400 Cannot read the request: unknown member "more"',
  ]);
});
