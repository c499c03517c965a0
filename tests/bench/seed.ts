/**
 * Puts into a registry what the workloads then read, by the protocol alone.
 *
 * @module
 */

import { Connection, header, prepare, type Prepared, type Target } from "./client.ts";
import { type Content, contentOf } from "./content.ts";

/** How an upload is sent: POST and PUT, or POST, one PATCH of unannounced length, and PUT. */
export type UploadForm = "monolithic" | "streamed";

const SEEDERS = 16;
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const EMPTY_CONFIG = contentOf("{}");

/** Pushes `content` to `repository` over `connection`. Answers how many bytes went. */
export async function pushBlob(
  target: Target,
  connection: Connection,
  blob: { readonly repository: string; readonly content: Content; readonly form: UploadForm },
): Promise<number> {
  const begun = await connection.exchange(
    prepare(target, `POST /v2/${blob.repository}/blobs/uploads/`, { status: 202 }),
  );
  let location = locationOf(target, header(begun, "location"));
  if (blob.form === "streamed") {
    const patched = await connection.exchange(prepare(target, `PATCH ${location}`, {
      headers: ["content-type: application/octet-stream"],
      body: blob.content.framed,
      chunked: true,
      status: 202,
    }));
    location = locationOf(target, header(patched, "location"));
  }
  const query = `${location.includes("?") ? "&" : "?"}digest=${blob.content.digest}`;
  await connection.exchange(prepare(target, `PUT ${location}${query}`, {
    headers: ["content-type: application/octet-stream"],
    body: blob.form === "streamed" ? [] : blob.content.plain,
    status: 201,
  }));
  return blob.content.bytes;
}

function locationOf(target: Target, value: string | undefined): string {
  const { pathname, search } = new URL(value ?? "", target.url);
  return pathname + search;
}

/** An image without layers; `text` makes it differ from others, `subject` makes it a referrer of that manifest. */
export function imageManifest(text: string, subject?: Content): Content {
  return contentOf(JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    ...(subject && { artifactType: "application/vnd.example.signature" }),
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: EMPTY_CONFIG.digest,
      size: EMPTY_CONFIG.bytes,
    },
    layers: [],
    ...(subject && {
      subject: { mediaType: MANIFEST_TYPE, digest: subject.digest, size: subject.bytes },
    }),
    annotations: { "org.example.text": text },
  }));
}

/** The request that puts `manifest` at `reference`. */
export function manifestPut(
  target: Target,
  manifest: { readonly repository: string; readonly reference: string; readonly content: Content },
): Prepared {
  return prepare(target, `PUT /v2/${manifest.repository}/manifests/${manifest.reference}`, {
    headers: [`content-type: ${MANIFEST_TYPE}`],
    body: manifest.content.plain,
    status: 201,
  });
}

/** Makes `repository` with the config that every `imageManifest` names. */
export async function createRepository(target: Target, repository: string): Promise<void> {
  using connection = await Connection.open(target);
  await pushBlob(target, connection, { repository, content: EMPTY_CONFIG, form: "monolithic" });
}

/** The request that mounts that config from one repository in another. */
export function configMount(target: Target, from: string, repository: string): Prepared {
  const query = `mount=${EMPTY_CONFIG.digest}&from=${from}`;
  return prepare(target, `POST /v2/${repository}/blobs/uploads/?${query}`, { status: 201 });
}

/** Sends the requests that `requestsOf` makes for 0 to `count - 1`, over some connections at once. */
export async function sendAll(
  target: Target,
  count: number,
  requestsOf: (index: number) => readonly Prepared[],
): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: SEEDERS }, async () => {
    using connection = await Connection.open(target);
    for (let index = next++; index < count; index = next++) {
      for (const request of requestsOf(index)) await connection.exchange(request);
    }
  }));
}
