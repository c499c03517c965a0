/** A store of many blobs, written to a folder without the registry, which would take hours. */

import { createHash } from "node:crypto";
import { OCI_MANIFEST } from "../support/client.ts";

/** How large a store is. */
export interface StoreSize {
  readonly repositories: number;
  readonly manifestsEach: number;
  /** Blobs that a manifest refers to, each of its own. */
  readonly blobsEach: number;
}

/** How many blobs the store has. */
export function countBlobs({ repositories, manifestsEach, blobsEach }: StoreSize): number {
  return repositories * manifestsEach * blobsEach;
}

/** Writes the store's objects as files: the keys that `server/registry/keys.ts` draws. */
export function writeStore(root: string, size: StoreSize): void {
  const folders = new Set<string>();
  const write = (key: string, text: string) => {
    const folder = `${root}/${key.slice(0, key.lastIndexOf("/"))}`;
    if (!folders.has(folder)) Deno.mkdirSync(folder, { recursive: true });
    // Those of links are used once each.
    if (!key.startsWith("links/")) folders.add(folder);
    Deno.writeTextFileSync(`${root}/${key}`, text);
  };
  for (let repository = 0; repository < size.repositories; repository++) {
    const name = `team${repository % 10}/app${repository}`;
    write(`catalog/${name}!`, "");
    for (let index = 0; index < size.manifestsEach; index++) {
      writeImage(write, { name, tag: `v${index}`, blobs: size.blobsEach });
    }
  }
}

type Write = (key: string, text: string) => void;

function writeImage(
  write: Write,
  { name, tag, blobs }: { readonly name: string; readonly tag: string; readonly blobs: number },
): void {
  const layers = Array.from({ length: blobs }, (_, layer) => {
    const text = `${name}:${tag} ${layer}`;
    const hex = sha256(text);
    write(`links/sha256/${hex.slice(0, 2)}/${hex}/${name}!`, "");
    write(`blobs/sha256/${hex.slice(0, 2)}/${hex}`, text);
    return { mediaType: "application/octet-stream", digest: `sha256:${hex}`, size: text.length };
  });
  const [config, ...others] = layers;
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { ...config, mediaType: "application/vnd.oci.image.config.v1+json" },
    layers: others,
  });
  const hex = sha256(manifest);
  const repository = `repositories/${name}`;
  write(
    `${repository}/_manifests/sha256/${hex}`,
    `${JSON.stringify({ mediaType: OCI_MANIFEST })}\n${manifest}`,
  );
  write(`${repository}/_tagged/sha256/${hex}/${tag}`, "");
  write(`${repository}/_tags/${tag}`, `sha256:${hex}\nwritten`);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
