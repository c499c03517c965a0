import { type Digest, isDigest } from "./digest.ts";
import { OciError } from "./error.ts";
import { parseJson } from "./json.ts";
import {
  isManifestMediaType,
  isNonDistributable,
  MANIFEST_KINDS,
  type ManifestKind,
  type ManifestMediaType,
  OCI_ARTIFACT_MANIFEST,
  OCI_IMAGE_INDEX,
  OCI_IMAGE_MANIFEST,
  stripParameters,
} from "./media_type.ts";

/** What a manifest says of something that it refers to (image-spec, descriptor.md), as far as a registry cares. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** A manifest, as far as a registry cares. Its bytes are kept beside it; they are what is served. */
export interface Manifest {
  readonly kind: ManifestKind;
  readonly mediaType: ManifestMediaType;
  /** Config and layers of an image, blobs of an artifact. */
  readonly blobs: readonly Descriptor[];
  /** Children of an index. Some are no manifests: build caches list their layers here. */
  readonly children: readonly Descriptor[];
  readonly subject?: Descriptor;
  /** The manifest's own type, or the media type of an image's config. */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Largest manifest in bytes (the spec asks for at least 4 MiB). */
export const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;

type Json = Readonly<Record<string, unknown>>;

/**
 * The manifest that `bytes` are, pushed with this `Content-Type`. MANIFEST_INVALID where it is none, where the two
 * disagree about what it is, or where it could be read both as an image and as an index (CVE-2021-41190).
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined): Manifest {
  const json = parseDocument(bytes);
  const mediaType = resolveMediaType(json, contentType);
  const kind = MANIFEST_KINDS[mediaType];
  refuseMixture(json, kind);
  const config = kind === "image" ? descriptor(json["config"], "config") : undefined;
  const subject = json["subject"] == null ? undefined : descriptor(json["subject"], "subject");
  const artifactType = text(json, "artifactType") ?? config?.mediaType;
  const annotations = parseAnnotations(json["annotations"]);
  return {
    kind,
    mediaType,
    blobs: [
      ...(config ? [config] : []),
      ...descriptors(json, kind === "artifact" ? "blobs" : "layers"),
    ],
    children: descriptors(json, "manifests"),
    ...(subject && { subject }),
    ...(artifactType && { artifactType }),
    ...(annotations && { annotations }),
  };
}

/** The blobs that must be in the repository before the manifest may be. */
export function requiredBlobs(manifest: Manifest): Digest[] {
  const required = manifest.blobs.filter((blob) => !isNonDistributable(blob.mediaType));
  return [...new Set(required.map((blob) => blob.digest))];
}

function invalid(reason: string): OciError {
  return new OciError("MANIFEST_INVALID", `Cannot read the manifest: ${reason}`);
}

function parseDocument(bytes: Uint8Array): Json {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw invalid(`it is not JSON (${(error as Error).message.slice(0, 200)})`);
  }
  if (!isObject(value)) throw invalid("it is not an object");
  return value;
}

function resolveMediaType(json: Json, contentType: string | undefined): ManifestMediaType {
  const pushed = stripParameters(contentType ?? "");
  const declared = text(json, "mediaType") ?? "";
  if (pushed && declared && pushed !== declared) {
    throw invalid(`Content-Type is ${pushed}, but its mediaType is ${declared}`);
  }
  const mediaType = pushed || declared || guessMediaType(json);
  if (!isManifestMediaType(mediaType)) throw invalid(`${mediaType} is not the media type of a manifest`);
  return mediaType;
}

/** Of a document that neither says what it is nor came with a Content-Type. */
function guessMediaType(json: Json): ManifestMediaType {
  if (json["manifests"] !== undefined) return OCI_IMAGE_INDEX;
  return json["blobs"] === undefined ? OCI_IMAGE_MANIFEST : OCI_ARTIFACT_MANIFEST;
}

function refuseMixture(json: Json, kind: ManifestKind): void {
  const foreign = {
    image: ["manifests"],
    index: ["config", "layers"],
    artifact: ["manifests", "config", "layers"],
  };
  for (const name of foreign[kind]) {
    if (json[name] !== undefined) throw invalid(`an ${kind} must not have "${name}"`);
  }
  if (kind !== "artifact" && json["schemaVersion"] !== 2) throw invalid("schemaVersion must be 2");
}

function descriptors(json: Json, name: string): Descriptor[] {
  const list = json[name] ?? [];
  if (!Array.isArray(list)) throw invalid(`"${name}" is not a list`);
  return list.map((item, index) => descriptor(item, `${name}[${index}]`));
}

function descriptor(value: unknown, where: string): Descriptor {
  if (!isObject(value)) throw invalid(`"${where}" is not a descriptor`);
  const { mediaType, digest, size } = value;
  if (typeof digest !== "string" || !isDigest(digest)) throw invalid(`"${where}.digest" is not a digest`);
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw invalid(`"${where}.size" is not a size`);
  if (typeof mediaType !== "string") throw invalid(`"${where}.mediaType" is not a text`);
  return { mediaType, digest, size: size as number };
}

function parseAnnotations(value: unknown): Record<string, string> | undefined {
  if (value == null) return undefined;
  if (!isObject(value)) throw invalid(`"annotations" is not an object`);
  for (const [name, note] of Object.entries(value)) {
    if (typeof note !== "string") throw invalid(`"annotations.${name.slice(0, 80)}" is not a text`);
  }
  return value as Record<string, string>;
}

function text(json: Json, name: string): string | undefined {
  const value = json[name] ?? "";
  if (typeof value !== "string") throw invalid(`"${name}" is not a text`);
  return value === "" ? undefined : value;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
