import { ADMIN_ROUTES } from "../../server/admin/routes.ts";
import { ROUTES } from "../../server/api/routes.ts";
import { assertEquals } from "../support/assert.ts";
import { type Answer, contentOf, digestOf, imageOf, OCI_MANIFEST, type RegistryClient } from "../support/client.ts";
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
import { basic, openForge, type Scene, startScene, storeOf } from "./scene.ts";

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

/** The words of paths, what a request is asked with, and what it carries. */
interface Prepared extends Sent {
  readonly words: Readonly<Record<string, string>>;
  readonly query?: string;
}

/** What there is to be asked for. */
interface Stage {
  readonly scene: Scene;
  readonly admin: RegistryClient;
  readonly senders: Readonly<Record<SenderName, (path: string) => RegistryClient>>;
  /** Words for paths in each place, of what no request may change. */
  readonly words: Readonly<Record<Place, Readonly<Record<string, string>>>>;
}

Deno.test("The matrix knows every row of the route table", () => {
  const rows = [...ROUTES, ...ADMIN_ROUTES].flatMap(({ methods, path }) =>
    methods.map((method) => `${method} ${path}`)
  );
  assertEquals(Object.keys(ROWS).sort(), rows.sort());
});

for (const [setting, formatChallenge] of Object.entries(CHALLENGES)) {
  Deno.test(`With challenges = ${setting}`, async (t) => {
    await using scene = await startScene({ config: `[access]\nchallenges = ${setting}` });
    const stage = await setStage(scene);
    const format = ({ row, place, verdict }: Cell) =>
      formatLine(row, place, {
        status: verdict.status,
        code: codeOf(verdict),
        challenge: verdict.challenge === undefined
          ? null
          : formatChallenge(`${scene.registry.url}/token`, verdict.challenge),
      });
    for (const name of Object.keys(SENDERS) as SenderName[]) {
      const cells = cellsOf(SENDERS[name]);
      const refused = cells.filter(({ verdict }) => verdict.status >= 400);
      const served = cells.filter(({ verdict }) => verdict.status < 400);
      await t.step(`${name} is refused ${refused.length} requests, which change nothing`, async () => {
        const before = await storeOf(scene.registry.dataDir);
        const lines = await mapParallel(refused, (cell) => sendRefused(stage, name, cell));
        assertEquals(lines, refused.map(format));
        assertEquals(await storeOf(scene.registry.dataDir), before);
      });
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
  const asToken = async (...scopes: string[]) => scene.bearing(await scene.tokenOf("writer", ...push, ...scopes));
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
  using connection = await Deno.connect({
    hostname: "127.0.0.1",
    port: Number(new URL(scene.registry.url).port),
  });
  const request = `GET /v2/ HTTP/1.1\r\nHost: ${scene.registry.host}\r\nConnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  const text = await new Response(connection.readable).text();
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
  const words = Object.fromEntries(await Promise.all(["", ...REPOSITORIES].map(async (name) => {
    const created = await createToken(admin, "/admin/v1/tokens");
    if (name === "") return [name, { token: created }];
    const image = await admin.pushImage(name, "v1");
    const upload = lastPartOf(await admin.startUpload(name));
    return [name, { name, reference: "v1", digest: digestOf(contentOf(`layer of ${name}`).bytes), upload, image }];
  })));
  const scopes = [
    ...REPOSITORIES.map((name) => `repository:${name}:pull,push,delete`),
    "registry:catalog:*",
  ];
  const [foreign, reader, writer, root] = await Promise.all([
    scene.tokenOf("writer", "repository:team/other:pull,push"),
    ...["reader", "writer", "admin"].map((user) => scene.tokenOf(user, ...scopes)),
  ]) as [string, string, string, string];
  const expired = await (await openForge(scene.registry)).resign(root, { exp: Math.floor(Date.now() / 1000) - 1 });
  let addresses = 0;
  const always = (client: RegistryClient) => () => client;
  return {
    scene,
    admin,
    words: words as Stage["words"],
    senders: {
      "nobody": always(scene.nobody),
      // Each guess comes from an address of its own, so that none is one too many.
      "a wrong password": () => withHeaders(scene.nobody, {
        "Authorization": basic("reader", "wrong"),
        "X-Forwarded-For": `10.0.${addresses >> 8}.${addresses++ & 255}`,
      }),
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
