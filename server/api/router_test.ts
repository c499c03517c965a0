import { assertEquals, assertThrows } from "../../tests/support/assert.ts";
import type { Action } from "../access/actions.ts";
import { OciError, type OciErrorCode } from "../oci/error.ts";
import { createRouter } from "./router.ts";
import { ROUTES } from "./routes.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const UUID = "01234567-89ab-4def-8123-456789abcdef";

/** The spec's table of endpoints (distribution-spec 1.1.1 and its main branch), the token service's (distribution), and the action that each is to sreg. */
const SPEC: [id: string, request: string, action: Action][] = [
  ["end-1", "GET /v2/", "get-api-version"],
  ["token-1", "GET /token", "get-token"],
  ["token-2", "POST /token", "get-token"],
  ["token-3", "GET /token/keys", "get-token"],
  ["end-2", `GET /v2/a/b/blobs/${DIGEST}`, "get-blob"],
  ["end-2", `HEAD /v2/a/b/blobs/${DIGEST}`, "get-blob"],
  ["end-3", "GET /v2/a/b/manifests/latest", "get-manifest"],
  ["end-3", `HEAD /v2/a/b/manifests/${DIGEST}`, "get-manifest"],
  ["end-4a", "POST /v2/a/b/blobs/uploads/", "start-upload"],
  ["end-5", `PATCH /v2/a/b/blobs/uploads/${UUID}`, "update-upload"],
  ["end-6", `PUT /v2/a/b/blobs/uploads/${UUID}`, "complete-upload"],
  ["end-7", "PUT /v2/a/b/manifests/latest", "put-manifest"],
  ["end-8a", "GET /v2/a/b/tags/list", "list-tags"],
  ["end-9", "DELETE /v2/a/b/manifests/latest", "delete-manifest"],
  ["end-10", `DELETE /v2/a/b/blobs/${DIGEST}`, "delete-blob"],
  ["end-12", `GET /v2/a/b/referrers/${DIGEST}`, "get-referrers"],
  ["end-13", `GET /v2/a/b/blobs/uploads/${UUID}`, "get-upload"],
  ["end-14", `DELETE /v2/a/b/blobs/uploads/${UUID}`, "cancel-upload"],
  ["extension", "GET /v2/_oci/ext/discover", "get-api-version"],
  ["extension", "GET /v2/_catalog", "list-catalog"],
  ["extension", "GET /v2/tags/list", "list-catalog"],
];

function match(request: string) {
  const [method = "", path = ""] = request.split(" ");
  return createRouter(ROUTES)(method, path);
}

function refuses(request: string, code: OciErrorCode, status: number): void {
  assertThrows(
    () => match(request),
    (error) => error instanceof OciError && error.code === code && error.status === status,
    request,
  );
}

for (const [id, request, action] of SPEC) {
  Deno.test(`The route table has ${id}, ${request.replace(DIGEST, "<digest>").replace(UUID, "<upload>")}`, () => {
    assertEquals(match(request).route.action, action);
  });
}

Deno.test("The route table has no row that the spec has not", () => {
  const known = new Set(SPEC.map(([, request]) => match(request).route));
  assertEquals(ROUTES.filter((route) => !known.has(route)).map(({ path }) => path), []);
});

Deno.test("Words are found in names that look like the path around them", () => {
  const names = [
    "blobs",
    "uploads",
    "manifests",
    "a/blobs",
    "a/blobs/uploads",
    "tags/list",
    "a/tags/list",
    "v2",
    "referrers",
  ];
  for (const name of names) {
    assertEquals([name, match(`GET /v2/${name}/blobs/${DIGEST}`).words.name], [name, name]);
    assertEquals([name, match(`PUT /v2/${name}/manifests/latest`).words.name], [name, name]);
    assertEquals([name, match(`GET /v2/${name}/tags/list`).words.name], [name, name]);
    assertEquals([name, match(`POST /v2/${name}/blobs/uploads/`).words.name], [name, name]);
    assertEquals([name, match(`PATCH /v2/${name}/blobs/uploads/${UUID}`).words.upload], [name, { id: UUID }]);
  }
});

Deno.test("A digest may come with its colon escaped", () => {
  assertEquals(match(`GET /v2/a/blobs/${DIGEST.replace(":", "%3A")}`).words.digest as string, DIGEST);
  assertEquals(
    match(`GET /v2/a/manifests/${DIGEST.replace(":", "%3a")}`).words.reference?.digest as string,
    DIGEST,
  );
});

const NOWHERE = [
  "/",
  "/v2",
  "/V2/",
  "/v1/",
  "/v2//",
  "/v2//_catalog",
  "/v2/_catalog/",
  "/v2/%5Fcatalog",
  "/v2/_catalog;x",
  "/v2/a",
  "/v2/a/",
  "/v2/a/blobs",
  "/v2/a/tags",
  "/v2/a/tags/list/",
  "/v2/blobs/uploads/",
  `/v2/${"a/".repeat(1200)}tags/list`,
];

for (const path of NOWHERE) {
  Deno.test(`GET ${path.slice(0, 40)} is no path of the registry`, () =>
    refuses(`GET ${path}`, "UNSUPPORTED", 404));
}

Deno.test("What stands in a path is refused for what it is", () => {
  refuses("GET /v2/A/tags/list", "NAME_INVALID", 400);
  refuses("GET /v2/a%2Fb/tags/list", "NAME_INVALID", 400);
  refuses("GET /v2/a/../b/tags/list", "NAME_INVALID", 400);
  refuses("GET /v2/a//b/tags/list", "NAME_INVALID", 400);
  refuses("GET /v2/a/blobs/sha256:short", "DIGEST_INVALID", 400);
  refuses("GET /v2/a/blobs/", "DIGEST_INVALID", 400);
  refuses("GET /v2/a/referrers/latest", "DIGEST_INVALID", 400);
  refuses("GET /v2/a/manifests/.bad", "MANIFEST_UNKNOWN", 404);
  refuses("PUT /v2/a/manifests/.bad", "MANIFEST_INVALID", 400);
  refuses("GET /v2/a/manifests/%", "MANIFEST_UNKNOWN", 404);
  refuses("GET /v2/a/manifests/a%2Fb", "MANIFEST_UNKNOWN", 404);
  refuses("PATCH /v2/a/blobs/uploads/1", "BLOB_UPLOAD_UNKNOWN", 404);
});

Deno.test("A method that a path does not take is told which it takes", () => {
  assertThrows(
    () => match("POST /v2/a/tags/list"),
    (error) => error instanceof OciError && error.status === 405 && error.headers["Allow"] === "GET, HEAD",
  );
});
