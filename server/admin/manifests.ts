import { jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import { OciError } from "../oci/error.ts";
import type { Registry } from "../registry/registry.ts";
import { readTree, type Tree, type TreeChild, type TreePart, treeSize } from "../registry/tree.ts";
import {
  type AdminRoute,
  adminRoute,
  COUNT,
  listSchema,
  objectSchema,
  type Schema,
  TEXT,
  TEXTS,
} from "./route.ts";

const PART = { digest: TEXT, media_type: TEXT, size: COUNT, missing: { const: true } };
const MAP: Schema = { type: "object", additionalProperties: TEXT };

/** A tree again, which is not described another time. */
const SUBTREE: Schema = {
  type: "object",
  properties: { digest: TEXT, media_type: TEXT, size: COUNT },
  required: ["digest", "media_type", "size"],
};

const CHILD = objectSchema({
  ...PART,
  platform: MAP,
  manifest: SUBTREE,
  cut: { enum: ["cycle", "depth", "size"] },
}, { optional: ["missing", "platform", "manifest", "cut"] });

const TREE = objectSchema({
  digest: TEXT,
  media_type: TEXT,
  size: COUNT,
  tags: TEXTS,
  artifact_type: TEXT,
  annotations: MAP,
  config: objectSchema(PART, { optional: ["missing"] }),
  layers: listSchema(objectSchema(PART, { optional: ["missing"] })),
  manifests: listSchema(CHILD),
  referrers: listSchema(SUBTREE),
  more_referrers: { const: true },
  total_size: COUNT,
}, { optional: ["artifact_type", "annotations", "config", "more_referrers"] });

/** The row of manifests. */
export function manifestRoutes(): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/repositories/<name>/_manifests/<reference>", {
      action: "admin.get-manifest",
      summary: "A manifest with all that it refers to and all that refers to it, as deep as eight levels",
      answer: { status: 200, schema: TREE },
      endpoint: show,
    }),
  ];
}

async function show(registry: Registry, { words }: Call<"name" | "reference">): Promise<Response> {
  const { name, reference } = words;
  const stored = await registry.manifests.get(name, reference);
  if (!stored) {
    throw new OciError("MANIFEST_UNKNOWN", "Cannot find the manifest: the repository does not have it");
  }
  return jsonAnswer(describeTree(await readTree(registry, name, stored)));
}

function describeTree(tree: Tree): object {
  const { digest, mediaType, size, tags, artifactType, annotations, config } = tree;
  return {
    digest,
    media_type: mediaType,
    size,
    tags,
    ...(artifactType !== undefined && { artifact_type: artifactType }),
    ...(annotations && { annotations }),
    ...(config && { config: describePart(config) }),
    layers: tree.layers.map(describePart),
    manifests: tree.manifests.map(describeChild),
    referrers: tree.referrers.map(describeTree),
    ...(tree.hasMoreReferrers && { more_referrers: true }),
    total_size: treeSize(tree),
  };
}

function describePart({ digest, mediaType, size, isMissing }: TreePart) {
  return { digest, media_type: mediaType, size, ...(isMissing && { missing: true }) };
}

function describeChild(child: TreeChild) {
  const { platform, manifest, cut } = child;
  return {
    ...describePart(child),
    ...(platform && { platform }),
    ...(manifest && { manifest: describeTree(manifest) }),
    ...(cut && { cut }),
  };
}
