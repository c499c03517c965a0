/** Images for the session: the same bytes, and so the same digests, each time. */

import { join } from "../support/paths.ts";
import { digestOf } from "../support/image_layout.ts";

const LAYER = "application/vnd.oci.image.layer.v1.tar";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";

/** Writes an image layout with an image for each tag; all have the lowest layer in common. */
export async function writeImages(
  folder: string,
  tags: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  await Deno.mkdir(join(folder, "blobs", "sha256"), { recursive: true });
  const manifests = [];
  for (const [tag, architectures] of Object.entries(tags)) {
    const image = await writeImage(folder, { tag, architectures });
    manifests.push({ ...image, annotations: { "org.opencontainers.image.ref.name": tag } });
  }
  await Deno.writeTextFile(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  await Deno.writeTextFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

/** An index where there are several architectures. */
async function writeImage(
  folder: string,
  { tag, architectures }: { readonly tag: string; readonly architectures: readonly string[] },
) {
  const manifests = [];
  for (const architecture of architectures) {
    const platform = { architecture, os: "linux" };
    const layers = [archive("base", 2_000_000), archive(`${tag}-${architecture}`, 300_000)];
    const rootfs = { type: "layers", diff_ids: layers.map(digestOf) };
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: await writeJson(folder, CONFIG, { ...platform, config: {}, rootfs }),
      layers: await Promise.all(layers.map((layer) => writeBlob(folder, LAYER, layer))),
    };
    manifests.push({ ...await writeJson(folder, MANIFEST, manifest), platform });
  }
  if (manifests.length === 1) return manifests[0];
  return await writeJson(folder, INDEX, { schemaVersion: 2, mediaType: INDEX, manifests });
}

function writeJson(folder: string, mediaType: string, value: unknown) {
  return writeBlob(folder, mediaType, new TextEncoder().encode(JSON.stringify(value)));
}

async function writeBlob(folder: string, mediaType: string, bytes: Uint8Array<ArrayBuffer>) {
  const digest = digestOf(bytes);
  await Deno.writeFile(join(folder, "blobs", "sha256", digest.slice("sha256:".length)), bytes);
  return { mediaType, digest, size: bytes.length };
}

/** A tar archive of one file, whose bytes are its name again and again. */
function archive(name: string, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(512 + Math.ceil(size / 512) * 512 + 1_024);
  const put = (offset: number, text: string) => bytes.set(new TextEncoder().encode(text), offset);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  put(0, name);
  put(100, octal(0o644, 7) + octal(0, 7) + octal(0, 7) + octal(size, 11) + octal(0, 11));
  put(148, " ".repeat(8));
  put(156, "0");
  put(257, "ustar\0" + "00");
  put(148, `${octal(bytes.subarray(0, 512).reduce((sum, byte) => sum + byte, 0), 6)} `);
  put(512, `${name}\n`.repeat(Math.ceil(size / (name.length + 1))).slice(0, size));
  return bytes;
}
