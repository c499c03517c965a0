/** A small client of the registry for tests: what the spec's requests look like, and content to send. */

import { createHash } from "node:crypto";
import { startRegistry } from "./registry.ts";

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly text: string;
  // deno-lint-ignore no-explicit-any -- tests look into answers whose shape they are about to check
  readonly json: () => any;
}

/** What a request carries. */
export interface Sent {
  readonly headers?: Record<string, string>;
  readonly body?: BodyInit;
}

/** Content with its digest. */
export interface Content {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: string;
}

/** The digest of bytes. */
export function digestOf(bytes: Uint8Array, algorithm: "sha256" | "sha512" = "sha256"): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Content of a text, or of a value as JSON. */
export function contentOf(value: unknown, algorithm: "sha256" | "sha512" = "sha256"): Content {
  const bytes = new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
  return { bytes, digest: digestOf(bytes, algorithm) };
}

/** `length` bytes that no other call answers. */
export function randomContent(length: number): Content {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return { bytes, digest: digestOf(bytes) };
}

/** How a manifest names content. */
export function descriptorOf(content: Content, mediaType = "application/octet-stream") {
  return { mediaType, digest: content.digest, size: content.bytes.byteLength };
}

/** An image manifest. */
export function imageOf(config: Content, layers: readonly Content[] = [], changes: object = {}): Content {
  return contentOf({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptorOf(config, "application/vnd.oci.image.config.v1+json"),
    layers: layers.map((layer) => descriptorOf(layer, "application/vnd.oci.image.layer.v1.tar")),
    ...changes,
  });
}

/** The path of the answer's next page. */
export function nextOf({ headers }: Answer): string | undefined {
  return /^<([^>]+)>; rel="next"$/.exec(headers.get("Link") ?? "")?.[1];
}

/** Sends requests to one registry. */
export class RegistryClient {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async send(method: string, path: string, { headers = {}, body }: Sent = {}): Promise<Answer> {
    const url = path.startsWith("http") ? path : this.url + path;
    const response = await fetch(url, {
      method,
      headers,
      ...(body !== undefined && { body }),
      redirect: "manual",
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const text = new TextDecoder().decode(bytes);
    return { status: response.status, headers: response.headers, bytes, text, json: () => JSON.parse(text) };
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send("GET", path, { headers });
  }

  /** Begins an upload; answers its path. */
  async startUpload(name: string, query = ""): Promise<string> {
    const { status, headers, text } = await this.send("POST", `/v2/${name}/blobs/uploads/${query}`);
    if (status !== 202) throw new Error(`POST uploads/ answered ${status} ${text}`);
    return headers.get("Location")!;
  }

  async pushBlob(name: string, content: Content): Promise<Content> {
    const location = await this.startUpload(name);
    const { status, text } = await this.send("PUT", `${location}?digest=${content.digest}`, {
      body: content.bytes,
    });
    if (status !== 201) throw new Error(`PUT of a blob answered ${status} ${text}`);
    return content;
  }

  putManifest(
    name: string,
    reference: string,
    manifest: Content,
    contentType = OCI_MANIFEST,
  ): Promise<Answer> {
    return this.send("PUT", `/v2/${name}/manifests/${reference}`, {
      headers: { "Content-Type": contentType },
      body: manifest.bytes,
    });
  }

  /** Pushes an image of one config and one layer, under a tag or its digest. */
  async pushImage(name: string, reference?: string, changes: object = {}): Promise<Content> {
    const config = await this.pushBlob(name, contentOf(`config of ${name}`));
    const layer = await this.pushBlob(name, contentOf(`layer of ${name}`));
    const manifest = imageOf(config, [layer], changes);
    const { status, text } = await this.putManifest(name, reference ?? manifest.digest, manifest);
    if (status !== 201) throw new Error(`PUT of a manifest answered ${status} ${text}`);
    return manifest;
  }
}

/** Starts a registry for the tests of one file, which stop it at their end. */
export async function startForTests(config?: string): Promise<RegistryClient & { readonly dataDir: string }> {
  const server = await startRegistry(config === undefined ? {} : { config });
  Deno.test.afterAll(() => void server.stop());
  return Object.assign(new RegistryClient(server.url), { dataDir: server.dataDir });
}
