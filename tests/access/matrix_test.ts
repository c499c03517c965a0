import { ADMIN_ROUTES } from "../../server/admin/routes.ts";
import { ROUTES } from "../../server/api/routes.ts";
import { assertEquals } from "../support/assert.ts";
import { type Answer, contentOf, imageOf, OCI_MANIFEST, type RegistryClient } from "../support/client.ts";
import type { Sent } from "../support/client.ts";
import {
  type Place,
  REPOSITORIES,
  ROWS,
  type Sender,
  type SenderName,
  SENDERS,
  type Verdict,
  verdictOf,
} from "./rights.ts";
import { basic, exchange, openForge, type Scene, startScene, storeOf } from "./scene.ts";

const PARALLEL = 32;

const CHALLENGES = {
  '["bearer", "basic"]': (realm: string, more: string) =>
    `Bearer realm="${realm}",service="sreg"${more}, Basic realm="sreg", charset="UTF-8"`,
  '["basic"]': () => 'Basic realm="sreg", charset="UTF-8"',
};

/** One request of the matrix. */
interface Cell {
  readonly row: string;
  readonly place: Place;
  readonly verdict: Verdict;
}

type Texts = Readonly<Record<string, string>>;

/** The words of a request's path, its query, and what it carries. */
interface Prepared extends Sent {
  readonly words?: Texts;
  readonly query?: string;
}

/** Who is about to send a request, and where. */
interface Asking {
  readonly client: RegistryClient;
  readonly admin: RegistryClient;
  readonly name: string;
}

/** What there is to be asked for. */
interface Stage {
  readonly scene: Scene;
  readonly admin: RegistryClient;
  readonly senders: Readonly<Record<SenderName, () => RegistryClient>>;
  /** Words for paths in each place, of what is there. */
  readonly words: Readonly<Record<Place, Texts>>;
}

Deno.test("The matrix knows every row of the route table", () => {
  const rows = [...ROUTES, ...ADMIN_ROUTES].flatMap(({ methods, path }) =>
    methods.map((method) => `${method} ${path}`)
  );
  assertEquals(Object.keys(ROWS).sort(), rows.sort());
});

for (const [setting, formatChallenge] of Object.entries(CHALLENGES)) {
  Deno.test(`Every row of the route table, with challenges = ${setting}`, async (t) => {
    await using scene = await startScene({ config: `[access]\nchallenges = ${setting}` });
    const stage = await setStage(scene);
    const format = ({ row, place, verdict }: Cell) =>
      formatLine(row, place, {
        status: verdict.status,
        code: codeOf(verdict, row),
        challenge: verdict.challenge === undefined
          ? null
          : formatChallenge(`${scene.registry.url}/token`, verdict.challenge),
      });
    for (const name of Object.keys(SENDERS) as SenderName[]) {
      const cells = cellsOf(SENDERS[name]);
      const refused = cells.filter(({ verdict }) => verdict.status >= 400);
      const served = cells.filter(({ verdict }) => verdict.status < 400);
      if (refused.length > 0) {
        await t.step(`${name} is refused ${refused.length} requests, which change nothing`, async () => {
          const before = await storeOf(scene.registry.dataDir);
          const lines = await mapParallel(refused, (cell) => sendRefused(stage, name, cell));
          assertEquals(lines, refused.map(format));
          assertEquals(await storeOf(scene.registry.dataDir), before);
        });
      }
      if (served.length === 0) continue;
      await t.step(`${name} is served ${served.length}`, async () => {
        const lines = await mapParallel(served, (cell) => sendServed(stage, name, cell));
        assertEquals(lines, served.map(format));
      });
    }
  });
}

Deno.test("A blob is mounted", async (t) => {
  await using scene = await startScene();
  const admin = scene.as("admin");
  const push = ["repository:team/app:pull,push"];
  const writer = scene.as("writer");
  const asToken = async (...scopes: string[]) =>
    scene.bearing(await scene.tokenOf("writer", ...push, ...scopes));
  const cases: [name: string, sender: RegistryClient, source: Place, from: boolean, status: number][] = [
    ["from a repository that the writer reads", writer, "public/app", true, 201],
    ["from wherever the writer reads it", writer, "public/app", false, 201],
    ["not from a repository that the writer does not read", writer, "secret/app", true, 202],
    ["not from anywhere if the writer reads it nowhere", writer, "secret/app", false, 202],
    ["with a token for both", await asToken("repository:public/app:pull"), "public/app", true, 201],
    ["not with a token for the target alone", await asToken(), "public/app", true, 202],
    ["not with a token for the target alone, from anywhere", await asToken(), "public/app", false, 202],
    ["by the admin from everywhere", admin, "secret/app", true, 201],
    ["not by the reader", scene.as("reader"), "public/app", true, 403],
    ["not by nobody", scene.nobody, "public/app", true, 401],
  ];
  for (const [name, sender, source, withFrom, status] of cases) {
    await t.step(name, async () => {
      const blob = await admin.pushBlob(source, contentOf(crypto.randomUUID()));
      const query = `?mount=${blob.digest}${withFrom ? `&from=${source}` : ""}`;
      const answer = await sender.send("POST", `/v2/team/app/blobs/uploads/${query}`);
      const found = await admin.send("HEAD", `/v2/team/app/blobs/${blob.digest}`);
      assertEquals([answer.status, found.status], [status, status === 201 ? 200 : 404]);
    });
  }
});

Deno.test("Each challenge is a header of its own", async () => {
  await using scene = await startScene({ config: '[access]\nchallenges = ["basic", "bearer"]' });
  const { host } = scene.registry;
  const text = await exchange(host, `GET /v2/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  assertEquals(text.split("\r\n").filter((line) => /^www-authenticate:/i.test(line)), [
    'WWW-Authenticate: Basic realm="sreg", charset="UTF-8"',
    `WWW-Authenticate: Bearer realm="${scene.registry.url}/token",service="sreg"`,
  ]);
});

function cellsOf(sender: Sender): Cell[] {
  return Object.keys(ROWS).flatMap((row) =>
    (row.includes("<name>") ? REPOSITORIES : [""] as const).map((place) => ({
      row,
      place,
      verdict: verdictOf(row, place, sender),
    }))
  );
}

async function setStage(scene: Scene): Promise<Stage> {
  const admin = scene.as("admin");
  const words = Object.fromEntries(
    await Promise.all(["", ...REPOSITORIES].map(async (name) => {
      if (name === "") return [name, await nouns(admin)];
      await admin.pushImage(name, "v1");
      const { digest } = contentOf(`layer of ${name}`);
      return [name, { name, reference: "v1", tag: "v1", digest, ...await beginUpload(admin, name) }];
    })),
  );
  const scopes = [
    ...REPOSITORIES.map((name) => `repository:${name}:pull,push,delete`),
    "registry:catalog:*",
  ];
  const [foreign, reader, writer, root] = await Promise.all([
    scene.tokenOf("writer", "repository:team/other:pull,push"),
    ...["reader", "writer", "admin"].map((user) => scene.tokenOf(user, ...scopes)),
  ]) as [string, string, string, string];
  const expired = await (await openForge(scene.registry)).resign(root, {
    exp: Math.floor(Date.now() / 1000) - 1,
  });
  let addresses = 0;
  const always = (client: RegistryClient) => () => client;
  return {
    scene,
    admin,
    words: words as Stage["words"],
    senders: {
      "nobody": always(scene.nobody),
      // Each guess comes from an address of its own, so that none is one too many.
      "a wrong password": () => {
        const address = `10.0.${addresses >> 8}.${addresses++ & 255}`;
        return scene.showing({ "Authorization": basic("reader", "wrong"), "X-Forwarded-For": address });
      },
      "an expired token": always(scene.bearing(expired)),
      "a token for another repository": always(scene.bearing(foreign)),
      "the reader": always(scene.as("reader")),
      "the reader's token": always(scene.bearing(reader)),
      "the writer": always(scene.as("writer")),
      "the writer's token": always(scene.bearing(writer)),
      "the admin": always(scene.as("admin")),
      "the admin's token": always(scene.bearing(root)),
    },
  };
}

async function sendRefused(
  { words, senders }: Stage,
  name: SenderName,
  { row, place }: Cell,
): Promise<string> {
  const carried = REFUSED[row]?.(place) ?? {};
  return formatLine(
    row,
    place,
    factsOf(row, await send(senders[name](), row, { words: words[place], ...carried })),
  );
}

async function sendServed(
  { admin, words, senders }: Stage,
  name: SenderName,
  { row, place }: Cell,
): Promise<string> {
  const client = senders[name]();
  const prepared = await SERVED[row]?.({ client, admin, name: place }) ?? {};
  const all = { ...prepared, words: { ...words[place], ...prepared.words } };
  return formatLine(row, place, factsOf(row, await send(client, row, all)));
}

function send(
  client: RegistryClient,
  row: string,
  { words = {}, query = "", ...sent }: Prepared,
): Promise<Answer> {
  const [method, path] = row.split(" ") as [string, string];
  return client.send(method, path.replaceAll(/<(\w+)>/g, (_, word) => words[word]!) + query, sent);
}

/** What would change something, were it not refused. */
const REFUSED: Readonly<Record<string, (name: string) => Prepared>> = {
  "POST /v2/<name>/blobs/uploads/": () => monolithic("refused"),
  "PATCH /v2/<name>/blobs/uploads/<upload>": () => ({ body: "refused" }),
  "PUT /v2/<name>/blobs/uploads/<upload>": () => monolithic("refused"),
  "PUT /v2/<name>/manifests/<reference>": manifestFor,
  "POST /token": () => TOKEN_FORM,
  "PUT /admin/v1/me/password": () => PASSWORDS,
  "POST /admin/v1/identities": newIdentity,
  "PATCH /admin/v1/identities/<id>": () => DISABLING,
  "PUT /admin/v1/roles/<role>": () => ROLE,
  "POST /admin/v1/bindings": () => BINDING,
  "POST /admin/v1/me/tokens": () => TOKEN_ORDER,
  "POST /admin/v1/jobs": () => ({ ...TOKEN_ORDER, body: JSON.stringify({ kind: "none" }) }),
  "POST /admin/v1/policy/decide": () => QUESTIONS,
  "POST /admin/v1/tokens": () => TOKEN_ORDER,
};

/** What makes a request succeed. */
const SERVED: Readonly<Record<string, (asking: Asking) => Prepared | Promise<Prepared>>> = {
  "GET /v2/<name>/blobs/uploads/<upload>": ownUpload,
  "HEAD /v2/<name>/blobs/uploads/<upload>": ownUpload,
  "DELETE /v2/<name>/blobs/uploads/<upload>": ownUpload,
  "PATCH /v2/<name>/blobs/uploads/<upload>": async (asking) => ({
    ...await ownUpload(asking),
    body: "served",
  }),
  "PUT /v2/<name>/blobs/uploads/<upload>": async (asking) => ({
    ...await ownUpload(asking),
    ...monolithic("served"),
  }),
  "DELETE /v2/<name>/blobs/<digest>": async ({ admin, name }) => {
    const { digest } = await admin.pushBlob(name, contentOf(crypto.randomUUID()));
    return { words: { digest } };
  },
  "PUT /v2/<name>/manifests/<reference>": ({ name }) => ({
    ...manifestFor(name),
    words: { reference: "v2" },
  }),
  "DELETE /v2/<name>/manifests/<reference>": async ({ admin, name }) => {
    const reference = crypto.randomUUID();
    await admin.pushImage(name, reference);
    return { words: { reference } };
  },
  // The content of the others is still to be asked for.
  "DELETE /admin/v1/repositories/<name>": () => ({ query: "?dry_run=true" }),
  "DELETE /admin/v1/repositories/<name>/_tags/<tag>": async ({ admin, name }) => {
    const tag = unique("tag");
    await admin.pushImage(name, tag);
    return { words: { tag } };
  },
  "DELETE /admin/v1/repositories/<name>/_uploads/<upload>": ownUpload,
  "POST /token": () => TOKEN_FORM,
  "POST /admin/v1/identities": newIdentity,
  "PATCH /admin/v1/identities/<id>": async ({ admin }) => ({
    ...DISABLING,
    words: await createIdentity(admin),
  }),
  "DELETE /admin/v1/identities/<id>": async ({ admin }) => ({ words: await createIdentity(admin) }),
  "PUT /admin/v1/roles/<role>": () => ({ ...ROLE, words: { role: unique("role") } }),
  "DELETE /admin/v1/roles/<role>": async ({ admin }) => ({ words: await createRole(admin) }),
  "POST /admin/v1/bindings": () => BINDING,
  "DELETE /admin/v1/bindings/<binding>": async ({ admin }) => ({ words: await createBinding(admin) }),
  "POST /admin/v1/me/tokens": () => TOKEN_ORDER,
  "POST /admin/v1/me/tokens/<token>/rotate": ownToken,
  "DELETE /admin/v1/me/tokens/<token>": ownToken,
  "POST /admin/v1/policy/decide": () => QUESTIONS,
  "POST /admin/v1/tokens": () => TOKEN_ORDER,
  "POST /admin/v1/tokens/<token>/rotate": ownToken,
  "DELETE /admin/v1/tokens/<token>": ownToken,
};

const TOKEN_FORM: Prepared = { body: new URLSearchParams({ grant_type: "client_credentials" }) };

const TOKEN_ORDER: Prepared = {
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ name: "laptop" }),
};

/** All users of the matrix are of the configuration, which alone can change their passwords. */
const PASSWORDS = jsonOf({ old_password: "any", new_password: "other-password" });

const DISABLING = jsonOf({ disabled: true });
const ROLE = jsonOf({ verbs: ["pull"], repositories: ["lib"] });
const BINDING = jsonOf({ role: "pull", users: ["somebody"] });
const HASH = `$2y$05$${"a".repeat(53)}`;

const QUESTIONS: Prepared = { ...TOKEN_ORDER, body: JSON.stringify({ questions: [] }) };

function monolithic(text: string): Prepared {
  return { query: `?digest=${contentOf(text).digest}`, body: text };
}

function manifestFor(name: string): Prepared {
  const { bytes } = imageOf(contentOf(`config of ${name}`), [], { annotations: { changed: "yes" } });
  return { headers: { "Content-Type": OCI_MANIFEST }, body: bytes };
}

async function ownUpload({ client, name }: Asking): Promise<Prepared> {
  return { words: await beginUpload(client, name) };
}

async function ownToken({ client }: Asking): Promise<Prepared> {
  return { words: await createToken(client, "/admin/v1/me/tokens") };
}

async function beginUpload(client: RegistryClient, name: string): Promise<Texts> {
  const location = await client.startUpload(name);
  return { upload: location.slice(location.lastIndexOf("/") + 1) };
}

/** One of each of what paths of the administration name. */
async function nouns(admin: RegistryClient): Promise<Texts> {
  const made = await Promise.all([
    createToken(admin, "/admin/v1/tokens"),
    createIdentity(admin),
    createRole(admin),
    createBinding(admin),
  ]);
  return Object.assign({ job: "unknown", plugin: "fs" }, ...made);
}

function newIdentity(): Prepared {
  return jsonOf({ username: unique("user"), password_hash: HASH });
}

async function createIdentity(admin: RegistryClient): Promise<Texts> {
  return { id: (await admin.send("POST", "/admin/v1/identities", newIdentity())).json().id };
}

async function createRole(admin: RegistryClient): Promise<Texts> {
  const role = unique("role");
  await admin.send("PUT", `/admin/v1/roles/${role}`, ROLE);
  return { role };
}

async function createBinding(admin: RegistryClient): Promise<Texts> {
  return { binding: (await admin.send("POST", "/admin/v1/bindings", BINDING)).json().id };
}

function jsonOf(value: unknown): Prepared {
  return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) };
}

function unique(what: string): string {
  return `${what}-${crypto.randomUUID()}`;
}

async function createToken(client: RegistryClient, path: string): Promise<Texts> {
  return { token: (await client.send("POST", path, TOKEN_ORDER)).json().id };
}

interface Facts {
  readonly status: number;
  readonly code: string | null;
  readonly challenge: string | null;
}

function factsOf(row: string, { status, headers, json }: Answer): Facts {
  const isRefused = status >= 400;
  const shown = ["Docker-Content-Digest", "Location", "Link", "ETag"].filter((header) => headers.has(header));
  if (isRefused && shown.length > 0) throw new Error(`${row} was refused, and showed ${shown}`);
  const code = isRefused && !row.startsWith("HEAD ") ? json().errors[0].code : null;
  return { status, code, challenge: headers.get("WWW-Authenticate") };
}

function codeOf({ status }: Verdict, row: string): string | null {
  if (status < 400 || row.startsWith("HEAD ")) return null;
  return ({ 401: "UNAUTHORIZED", 403: "DENIED" })[status] ?? "UNSUPPORTED";
}

function formatLine(row: string, place: Place, { status, code, challenge }: Facts): string {
  return [row.replace("<name>", place), status, code, challenge].filter((part) => part !== null).join(" ");
}

async function mapParallel<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: PARALLEL }, async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await map(items[at]!);
  }));
  return results;
}
