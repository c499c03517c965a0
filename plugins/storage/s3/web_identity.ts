/** Keys that are lent for a token, which something else keeps fresh in a file (AssumeRoleWithWebIdentity). */

import { PluginError } from "../../contract/error.ts";
import type { LentCredentials } from "./credentials.ts";
import { LostExchange } from "./lost_exchange.ts";

/** Posts a form to a service. Answers with the status and the text; fails where there is no answer. */
export type Post = (url: URL, form: string) => Promise<{ readonly status: number; readonly text: string }>;

/** Who asks whom. */
export interface WebIdentity {
  readonly roleArn: string;
  readonly tokenPath: string;
  readonly stsEndpoint: URL;
}

const SESSION_NAME = "sreg";
const WHAT = "Cannot get credentials of sts_endpoint: ";

/** Asks the service for keys. A failure that may pass is a `LostExchange`. Neither the token nor the keys are in its errors. */
export async function assumeRole(
  { roleArn, tokenPath, stsEndpoint }: WebIdentity,
  post: Post,
): Promise<LentCredentials> {
  const token = await readToken(tokenPath);
  const form = new URLSearchParams({
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: roleArn,
    RoleSessionName: SESSION_NAME,
    WebIdentityToken: token,
  });
  const { status, text } = await post(stsEndpoint, form.toString());
  if (status === 200) return readAnswer(text);
  const state = `it answered ${status} ${valueOf(text, "Code") ?? "no code"}`;
  if (status < 500 && status !== 429) throw new PluginError("failed", WHAT + state);
  throw new LostExchange(WHAT + state, { isSent: false });
}

function readAnswer(text: string): LentCredentials {
  const accessKeyId = valueOf(text, "AccessKeyId");
  const secretKey = valueOf(text, "SecretAccessKey");
  const sessionToken = valueOf(text, "SessionToken");
  const endsAtMs = Date.parse(valueOf(text, "Expiration") ?? "");
  if (!accessKeyId || !secretKey || !sessionToken || Number.isNaN(endsAtMs)) {
    throw new LostExchange(`${WHAT}its answer holds no credentials`, { isSent: false });
  }
  return { accessKeyId, secretKey, sessionToken, endsAtMs };
}

async function readToken(path: string): Promise<string> {
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch (error) {
    throw new PluginError(
      "failed",
      `${WHAT}web_identity_token_file ${path} cannot be read: ${(error as Error).message}`,
    );
  }
}

function valueOf(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>\\s*([^<]*?)\\s*</${name}>`).exec(xml)?.[1];
}
