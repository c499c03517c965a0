import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describeApi } from "../../server/admin/openapi.ts";
import type { Schema } from "../../server/admin/route.ts";
import { ADMIN_ROUTES } from "../../server/admin/routes.ts";
import { startScene } from "../access/scene.ts";
import { assert, assertEquals } from "../support/assert.ts";
import type { RegistryClient } from "../support/client.ts";

const DOCUMENT = describeApi(ADMIN_ROUTES, "1.2.3") as unknown as OpenApi;

interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface Operation {
  readonly operationId: string;
  readonly "x-action": string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { schema: Schema }>> }>
  >;
}

/** Every operation of the document: `GET /admin/v1/jobs/{job}`. */
function operations(): [request: string, operation: Operation][] {
  return Object.entries(DOCUMENT.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map((
      [method, operation],
    ): [string, Operation] => [`${method.toUpperCase()} ${path}`, operation])
  );
}

const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true });
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);

/** What is wrong with a value by a schema. */
function problemsOf(schema: Schema, value: unknown): readonly string[] {
  const validate = ajv.compile(schema);
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    `${instancePath} ${message} ${JSON.stringify(params)}`
  );
}

Deno.test("The OpenAPI document is one of version 3.1", async () => {
  const { valid, errors } = await new Validator().validate({ ...DOCUMENT });
  assertEquals([errors, valid], [undefined, true]);
  assertEquals(DOCUMENT.openapi, "3.1.0");
});

Deno.test("The OpenAPI document has every row of the administration, and nothing else", () => {
  const rows = ADMIN_ROUTES.flatMap(({ methods, path, action }) =>
    methods.filter((method) => method !== "HEAD").map((method) =>
      `${method} ${path.replaceAll("<", "{").replaceAll(">", "}")} ${action}`
    )
  );
  const described = operations().map(([request, operation]) => `${request} ${operation["x-action"]}`);
  assertEquals(described.toSorted(), rows.toSorted());
  const headless = ADMIN_ROUTES.filter(({ methods }) => methods.includes("GET") !== methods.includes("HEAD"));
  assertEquals(headless, []);
});

Deno.test("The OpenAPI document describes each word of a path, and gives each operation a name of its own", () => {
  for (const [request, { parameters = [] }] of operations()) {
    const words = [...request.matchAll(/\{(\w+)\}/g)].map(([, word]) => word);
    assertEquals(
      parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name),
      words,
      request,
    );
    const whole = parameters.every((parameter) => "schema" in parameter);
    assert(whole, request);
  }
  const names = operations().map(([, { operationId }]) => operationId);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("Answers of a server are what the OpenAPI document says", async (t) => {
  await using scene = await startScene();
  const admin = scene.as("admin");
  await admin.pushImage("team/app", "v1");
  const words = await makeWords(admin);
  const served = await admin.get("/admin/v1/openapi.json");
  const { info, ...document } = served.json();
  const { info: _, ...expected } = DOCUMENT as unknown as { info: unknown };
  assertEquals([document, typeof info.version], [expected, "string"]);
  for (const [request, operation] of operations().filter(([request]) => request.startsWith("GET "))) {
    await t.step(request, async () => {
      const path = request.slice(4).replaceAll(/\{(\w+)\}/g, (_, word) => words[word] ?? `no-${word}`);
      const { status, json, headers } = await admin.get(path);
      assertEquals(headers.get("Content-Type"), "application/json");
      const schema = status === 200
        ? operation.responses["200"]!.content!["application/json"]!.schema
        : DOCUMENT.components.schemas.Errors!;
      assert(
        status === 200 || [...request.matchAll(/\{(\w+)\}/g)].some(([, word]) => !words[word!]),
        `${status}`,
      );
      assertEquals(problemsOf(schema, json()), []);
    });
  }
  await t.step("refusals", async () => {
    const reader = scene.as("reader");
    for (const answer of [await reader.get("/admin/v1/status"), await scene.nobody.get("/admin/v1/me")]) {
      assert([401, 403].includes(answer.status));
      assertEquals(problemsOf(DOCUMENT.components.schemas.Errors!, answer.json()), []);
    }
  });
});

Deno.test("The check of answers finds what does not fit", () => {
  const schema = DOCUMENT.paths["/admin/v1/me"]!.get!.responses["200"]!.content!["application/json"]!.schema;
  const me = { id: "a", username: null, groups: [], by: "password", anonymous: false };
  assertEquals(problemsOf(schema, me), []);
  assertEquals(problemsOf(schema, { ...me, extra: 1 }).length, 1);
  assertEquals(problemsOf(schema, { ...me, groups: "all" }).length, 1);
});

/** Something of each kind that paths name. */
async function makeWords(admin: RegistryClient): Promise<Readonly<Record<string, string>>> {
  const headers = { "Content-Type": "application/json" };
  const send = async (method: string, path: string, body: unknown) =>
    (await admin.send(method, `/admin/v1/${path}`, { headers, body: JSON.stringify(body) })).json();
  await send("POST", "me/tokens", { name: "mine", scopes: [{ repositories: "**", actions: ["pull"] }] });
  await send("POST", "tokens", { name: "robot", groups: ["robots"], expires_at: "2999-01-01T00:00:00Z" });
  const { id } = await send("POST", "identities", { username: "zoe", password: "zoe's long password" });
  await send("PUT", "roles/tester", { verbs: ["pull"], repositories: ["**"] });
  const binding = await send("POST", "bindings", { role: "tester", users: ["zoe"] });
  const { job } = await send("POST", "jobs", { kind: "gc", options: { dry_run: true } });
  return {
    name: "team/app",
    reference: "v1",
    tag: "v1",
    plugin: "fs",
    id: encodeURIComponent(id),
    role: "tester",
    binding: binding.id,
    job,
  };
}
