import { createHmac } from "node:crypto";

/** The header that a signature is sent in. */
export const SIGNATURE_HEADER = "X-Sreg-Signature";

/**
 * The signature of a question: `t=<seconds since 1970>,v1=<hex>`, an HMAC-SHA256 of the time, a dot and the body. Who
 * checks it refuses times that are minutes off, so that nobody can send an old question again.
 */
export function signBody(body: string, { secret, nowMs }: SigningFacts): string {
  const seconds = Math.floor(nowMs / 1_000);
  const mac = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${mac}`;
}

/** What a signature is made of, beside the body. */
export interface SigningFacts {
  readonly secret: string;
  readonly nowMs: number;
}
