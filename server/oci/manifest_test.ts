import { assertEquals, assertThrows } from "../../tests/support/assert.ts";
import { OciError } from "./error.ts";
import { JSON_DEPTH_MAX, parseJson } from "./json.ts";
import { parseManifest, requiredBlobs } from "./manifest.ts";
import { OCI_ARTIFACT_MANIFEST, OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST } from "./media_type.ts";

const DIGEST = `sha256:${"1".repeat(64)}`;
const LAYER = `sha256:${"2".repeat(64)}`;
const CONFIG = { mediaType: "application/vnd.oci.image.config.v1+json", digest: DIGEST, size: 2 };

function image(changes: object = {}): object {
  const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: LAYER, size: 9 };
  return { schemaVersion: 2, mediaType: OCI_IMAGE_MANIFEST, config: CONFIG, layers: [layer], ...changes };
}

function parse(document: unknown, contentType?: string) {
  const text = typeof document === "string" ? document : JSON.stringify(document);
  return parseManifest(new TextEncoder().encode(text), contentType);
}

function refuses(document: unknown, contentType?: string): void {
  assertThrows(
    () => parse(document, contentType),
    (error) => error instanceof OciError && error.code === "MANIFEST_INVALID",
  );
}

Deno.test("parseManifest() reads an image", () => {
  const subject = { mediaType: OCI_IMAGE_MANIFEST, digest: LAYER, size: 5 };
  const manifest = parse(
    image({ subject, annotations: { a: "b" }, unknown: [1] }),
    `${OCI_IMAGE_MANIFEST}; charset=utf-8`,
  );
  assertEquals([manifest.kind, manifest.mediaType, manifest.artifactType], [
    "image",
    OCI_IMAGE_MANIFEST,
    CONFIG.mediaType,
  ]);
  assertEquals(manifest.blobs.map(({ digest }) => digest as string), [DIGEST, LAYER]);
  assertEquals(manifest.subject?.digest as string, LAYER);
  assertEquals(manifest.annotations, { a: "b" });
});

Deno.test("parseManifest() reads an index, an artifact, and Docker's two", () => {
  assertEquals(parse({ schemaVersion: 2, manifests: [] }, OCI_IMAGE_INDEX).kind, "index");
  assertEquals(
    parse({ mediaType: OCI_ARTIFACT_MANIFEST, artifactType: "x/y", blobs: [CONFIG] }).kind,
    "artifact",
  );
  const list = "application/vnd.docker.distribution.manifest.list.v2+json";
  assertEquals(
    parse({ schemaVersion: 2, manifests: [{ ...CONFIG, mediaType: "x" }] }, list).children.length,
    1,
  );
  const schema2 = "application/vnd.docker.distribution.manifest.v2+json";
  assertEquals(parse(image({ mediaType: schema2 }), schema2).kind, "image");
});

Deno.test("parseManifest() sees what a document is when nothing says it", () => {
  assertEquals(parse(image({ mediaType: undefined })).mediaType, OCI_IMAGE_MANIFEST);
  assertEquals(parse({ schemaVersion: 2, manifests: [] }).mediaType, OCI_IMAGE_INDEX);
});

const BAD: [string, unknown, string?][] = [
  ["no JSON", "{"],
  ["nothing", ""],
  ["a list", "[]"],
  ["null", "null"],
  ["a media type that is no manifest's", image({ mediaType: "text/plain" })],
  ["a Content-Type unlike its mediaType", image(), OCI_IMAGE_INDEX],
  ["an image with manifests", image({ manifests: [] })],
  ["an index with layers", { schemaVersion: 2, manifests: [], layers: [] }, OCI_IMAGE_INDEX],
  ["an index with a config", { schemaVersion: 2, manifests: [], config: CONFIG }, OCI_IMAGE_INDEX],
  ["schemaVersion 1", image({ schemaVersion: 1 })],
  ["no schemaVersion", image({ schemaVersion: undefined })],
  ["no config", image({ config: undefined })],
  ["layers that are no list", image({ layers: {} })],
  ["a layer that is null", image({ layers: [null] })],
  ["a digest that is none", image({ config: { ...CONFIG, digest: "sha256:../../etc" } })],
  ["a size that is negative", image({ config: { ...CONFIG, size: -1 } })],
  ["a size that is fractional", image({ config: { ...CONFIG, size: 1.5 } })],
  ["a size of 2^63", JSON.stringify(image()).replace('"size":2', '"size":9223372036854775808')],
  ["a size that is a text", image({ config: { ...CONFIG, size: "2" } })],
  ["a media type that is a number", image({ config: { ...CONFIG, mediaType: 5 } })],
  ["annotations that are no texts", image({ annotations: { a: 1 } })],
  ["a subject that is no descriptor", image({ subject: "x" })],
  ["a member given twice", '{"schemaVersion":2,"manifests":[],"manifests":[]}', OCI_IMAGE_INDEX],
  [
    "a member given twice in other case",
    '{"schemaVersion":2,"manifests":[],"Manifests":[]}',
    OCI_IMAGE_INDEX,
  ],
  ["bytes that are no UTF-8", "\ud800"],
];

for (const [what, document, contentType] of BAD) {
  Deno.test(`parseManifest() refuses ${what}`, () => refuses(document, contentType));
}

Deno.test("parseManifest() refuses a broken UTF-8 sequence", () => {
  assertThrows(() => parseManifest(new Uint8Array([0x7b, 0xff, 0x7d]), OCI_IMAGE_INDEX));
});

Deno.test("requiredBlobs() leaves out what may not be distributed, and names each blob once", () => {
  const foreign = {
    mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    digest: LAYER,
    size: 1,
  };
  const restricted = {
    ...foreign,
    mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  };
  assertEquals(requiredBlobs(parse(image({ layers: [foreign, restricted, CONFIG] }))) as string[], [DIGEST]);
});

Deno.test("parseJson() reads what JSON.parse() reads", () => {
  const text = '{"a":[{"b":1},{"b":2}],"c":"x:\\"b\\"", "d" : {"a":[]}, "é\\u0041":null}';
  assertEquals(parseJson(text), JSON.parse(text));
});

Deno.test("parseJson() refuses nesting that is deeper than its bound", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  parseJson(nested(JSON_DEPTH_MAX));
  assertThrows(() => parseJson(nested(JSON_DEPTH_MAX + 1)), SyntaxError);
  assertThrows(() => parseJson(nested(2_000_000)), SyntaxError);
});
