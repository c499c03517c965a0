/** Encryption by the store: what requests have to say of it. */

import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import type { EncryptionSettings } from "./settings.ts";

/** What is asked of the store. */
export interface EncryptedRequest {
  readonly method: string;
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

const COPY_SOURCE = "x-amz-copy-source";

/** The headers that a request needs besides its own. */
export function encryptionHeaders(
  settings: EncryptionSettings,
  request: EncryptedRequest,
): Record<string, string> {
  if (request.key === undefined) return {};
  if (settings.by === "customer") return customerHeaders(settings.key, request);
  if (settings.by === "none" || !beginsObject(request)) return {};
  if (settings.by === "store") return { "x-amz-server-side-encryption": "AES256" };
  return {
    "x-amz-server-side-encryption": "aws:kms",
    ...(settings.keyId !== undefined && { "x-amz-server-side-encryption-aws-kms-key-id": settings.keyId }),
  };
}

/** Only where an object begins is said how it will be kept. */
function beginsObject({ method, query = {} }: EncryptedRequest): boolean {
  return (method === "PUT" && !("partNumber" in query)) || (method === "POST" && "uploads" in query);
}

/** The key goes along with all but deletions, and a second time for the source of a copy. */
function customerHeaders(
  key: Uint8Array,
  { method, headers = {} }: EncryptedRequest,
): Record<string, string> {
  if (method === "DELETE") return {};
  const facts = {
    algorithm: "AES256",
    key: Buffer.from(key).toString("base64"),
    "key-md5": createHash("md5").update(key).digest("base64"),
  };
  const named = (prefix: string) =>
    Object.entries(facts).map(([name, value]) => [`${prefix}server-side-encryption-customer-${name}`, value]);
  const source = COPY_SOURCE in headers ? named(`${COPY_SOURCE}-`) : [];
  return Object.fromEntries([...named("x-amz-"), ...source]);
}
