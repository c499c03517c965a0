/**
 * A multi-architecture image, made from nothing and written to disk as an OCI image layout.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { assertEquals } from "./assert.ts";

/** What a manifest says of something else. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string; readonly os: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An image layout on disk. */
export interface ImageLayout {
  /** What skopeo, buildah and podman call the image: `oci:<folder>:<tag>`. */
  readonly reference: string;
  readonly folder: string;
  /** Digest of the index. */
  readonly digest: string;
  /** Descriptors of the platforms' manifests. */
  readonly manifests: readonly Descriptor[];
  /** Digests of the distinct layers, sorted. */
  readonly layers: readonly string[];
}

/** The architectures of the image that `writeImageLayout` makes. */
export const ARCHITECTURES = ["amd64", "arm64"] as const;

const LAYER_BYTES = 300_000;
const TAR_BLOCK = 512;

/**
 * Writes an image of two architectures into `folder`: a layer that both share, one of each one's own, and an empty one.
 * Two calls make different images.
 */
export async function writeImageLayout(folder: string): Promise<ImageLayout> {
  await Deno.mkdir(`${folder}/blobs/sha256`, { recursive: true });
  const shared = tar("shared", noise(LAYER_BYTES));
  const manifests: Descriptor[] = [];
  const digests = new Set<string>();
  for (const architecture of ARCHITECTURES) {
    const layers = [shared, tar(architecture, noise(LAYER_BYTES)), tar()];
    const descriptors = await writeLayers(folder, layers);
    for (const { digest } of descriptors) digests.add(digest);
    const config = await writeJson(folder, "application/vnd.oci.image.config.v1+json", {
      architecture,
      os: "linux",
      config: { Labels: { architecture } },
      rootfs: { type: "layers", diff_ids: layers.map(digestOf) },
    });
    const manifest = await writeJson(folder, "application/vnd.oci.image.manifest.v1+json", {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config,
      layers: descriptors,
    });
    manifests.push({ ...manifest, platform: { architecture, os: "linux" } });
  }
  const index = await writeJson(folder, "application/vnd.oci.image.index.v1+json", {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests,
  });
  const annotations = { "org.opencontainers.image.ref.name": "v1" };
  await Deno.writeTextFile(
    `${folder}/index.json`,
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...index, annotations }] }),
  );
  await Deno.writeTextFile(`${folder}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return {
    reference: `oci:${folder}:v1`,
    folder,
    digest: index.digest,
    manifests,
    layers: [...digests].sort(),
  };
}

/** The digests of all blobs of a layout, sorted, after each blob's bytes have been held against its digest. */
export async function listLayoutBlobs(folder: string): Promise<string[]> {
  const digests: string[] = [];
  for await (const { name } of Deno.readDir(`${folder}/blobs/sha256`)) {
    const bytes = await Deno.readFile(`${folder}/blobs/sha256/${name}`);
    assertEquals(digestOf(bytes), `sha256:${name}`);
    digests.push(`sha256:${name}`);
  }
  return digests.sort();
}

/** The digest of bytes. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function writeLayers(folder: string, layers: readonly Uint8Array[]): Promise<Descriptor[]> {
  const descriptors: Descriptor[] = [];
  for (const layer of layers) {
    const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
    descriptors.push(await writeBlob(folder, mediaType, gzipSync(layer)));
  }
  return descriptors;
}

function writeJson(folder: string, mediaType: string, value: unknown): Promise<Descriptor> {
  return writeBlob(folder, mediaType, new TextEncoder().encode(JSON.stringify(value)));
}

async function writeBlob(folder: string, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestOf(bytes);
  await Deno.writeFile(`${folder}/blobs/${digest.replace(":", "/")}`, bytes);
  return { mediaType, digest, size: bytes.length };
}

/** Bytes that do not compress. */
function noise(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let start = 0; start < length; start += 65_536) {
    crypto.getRandomValues(bytes.subarray(start, start + 65_536));
  }
  return bytes;
}

/** A tar archive of one file, or of none. */
function tar(name?: string, content: Uint8Array = new Uint8Array(0)): Uint8Array {
  if (name === undefined) return new Uint8Array(2 * TAR_BLOCK);
  const padded = Math.ceil(content.length / TAR_BLOCK) * TAR_BLOCK;
  const archive = new Uint8Array(TAR_BLOCK + padded + 2 * TAR_BLOCK);
  const header = archive.subarray(0, TAR_BLOCK);
  const write = (offset: number, text: string) => header.set(new TextEncoder().encode(text), offset);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0") + "\0";
  write(0, name);
  write(100, octal(0o644, 7) + octal(0, 7) + octal(0, 7) + octal(content.length, 11) + octal(0, 11));
  write(148, " ".repeat(8));
  write(156, "0");
  write(257, "ustar\0" + "00");
  write(148, octal(header.reduce((sum, byte) => sum + byte, 0), 6) + " ");
  archive.set(content, TAR_BLOCK);
  return archive;
}
