/**
 * What tests of clients start from: a registry that they can reach, over HTTP or TLS, and an image to push.
 *
 * @module
 */

import { makeCertificate } from "../support/certificate.ts";
import { type ImageLayout, writeImageLayout } from "../support/image_layout.ts";
import { dirname } from "../support/paths.ts";
import { hasProgram } from "../support/programs.ts";
import { type RunningRegistry, startRegistry, startsElse } from "../support/registry.ts";

/** How clients reach a registry. */
export type Scheme = "http" | "https";

/** Those that this test file can have: the load balancer of a cluster speaks no TLS. */
export const SCHEMES: readonly Scheme[] = startsElse() ? ["http"] : ["http", "https"];

/** A request that the registry has served. */
export interface ServedRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly status: number;
}

/** A registry, an image, and a folder for what a client keeps. */
export interface Scene extends AsyncDisposable {
  readonly scheme: Scheme;
  readonly registry: RunningRegistry;
  readonly image: ImageLayout;
  /** Removed in the end. */
  readonly folder: string;
  /** `docker://<host>/<image>`. */
  docker(image: string): string;
  /** The flags by which a client trusts the registry. skopeo's copy has them twice: `src-` and `dest-`. */
  trust(prefix?: "src-" | "dest-"): string[];
  /** The environment in which a client written in Go trusts the registry. */
  readonly environment: Readonly<Record<string, string>>;
  /** Asks the registry without a client between. */
  fetch(target: string, init?: RequestInit): Promise<Response>;
  /** What the registry has served so far, in order. */
  served(): ServedRequest[];
}

/** Whether the scene can be set. TLS needs openssl. */
export function canSet(scheme: Scheme): boolean {
  return scheme === "http" || hasProgram("openssl");
}

/** What a test of `program` over `scheme` is called: it names all that it needs. */
export function sceneName(program: string, scheme: Scheme): string {
  return scheme === "http" ? `${program}, over HTTP` : `${program}, over TLS (openssl)`;
}

/** Starts a registry and makes an image. */
export async function setScene(scheme: Scheme): Promise<Scene> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-clients-" });
  const certificate = scheme === "https" ? await makeCertificate(`${folder}/certificate`) : undefined;
  const image = await writeImageLayout(`${folder}/image`);
  const tls = certificate ? ["--cert", certificate.certificate, "--key", certificate.key] : [];
  const registry = await startRegistry({ args: ["--verbose", ...tls] });
  const client = Deno.createHttpClient({
    caCerts: certificate ? [await Deno.readTextFile(certificate.authority)] : [],
  });
  return {
    registry,
    image,
    folder,
    scheme,
    environment: certificate ? { SSL_CERT_FILE: certificate.authority } : {},
    docker: (name) => `docker://${registry.host}/${name}`,
    trust: (prefix) =>
      certificate
        ? [`--${prefix ?? ""}cert-dir=${dirname(certificate.authority)}`]
        : [`--${prefix ?? ""}tls-verify=false`],
    fetch: (target, init) => fetch(registry.url + target, { ...init, client }),
    served: () => readServed(registry.log()),
    [Symbol.asyncDispose]: async () => {
      client.close();
      await registry.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function readServed(log: string): ServedRequest[] {
  const lines = log.split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line)).filter(({ url }) => url !== undefined).map(
    ({ method, url, status }) => {
      const { pathname, search } = new URL(url);
      return { method, target: pathname + search, status };
    },
  );
}
