import type { Caller } from "../access/caller.ts";
import { OciError } from "../oci/error.ts";
import { parseScopes, SCOPES_MAX } from "../access/scopes.ts";
import type { IssuedTokens } from "../access/token_service.ts";
import { readAll } from "../registry/bytes.ts";
import type { Registry } from "../registry/registry.ts";
import { jsonAnswer, onlyValue } from "./answer.ts";
import type { Call } from "./endpoint.ts";

const FORM_BYTES_MAX = 64 * 1024;

/** `GET /token?service=&scope=&offline_token=`: a token for whoever asks (distribution, "Token Authentication"). */
export async function get(_: Registry, call: Call): Promise<Response> {
  const offline = call.query.get("offline_token") === "true";
  const issued = await issue(call, call.caller, { scopes: call.query.getAll("scope"), offline });
  return tokenAnswer({ token: issued.accessToken, ...describe(issued) });
}

/** `POST /token`: the same as OAuth 2 has it (distribution, "Docker Registry v2 OAuth2"; RFC 6749, sections 4.3 and 6). */
export async function post(_: Registry, call: Call): Promise<Response> {
  const form = await readForm(call);
  const caller = await callerOf(call, form);
  const offline = form.get("access_type") === "offline";
  const issued = await issue(call, caller, { scopes: form.getAll("scope"), offline });
  const refreshToken = issued.refreshToken ?? form.get("refresh_token");
  const scope = issued.granted.map(({ type, name, actions }) => `${type}:${name}:${actions.join(",")}`).join(
    " ",
  );
  return tokenAnswer({
    ...describe(issued),
    token_type: "Bearer",
    scope,
    ...(refreshToken !== null && { refresh_token: refreshToken }),
  });
}

/** `GET /token/keys`: the keys that verify tokens (RFC 7517, section 5). */
export async function keys(_: Registry, { access }: Call): Promise<Response> {
  return jsonAnswer({ keys: await access.tokens.publicKeys() }, {
    headers: { "Cache-Control": "max-age=300" },
  });
}

interface Wanted {
  readonly scopes: readonly string[];
  readonly offline: boolean;
}

function issue({ access }: Call, caller: Caller, { scopes, offline }: Wanted): Promise<IssuedTokens> {
  if (scopes.length > SCOPES_MAX) throw malformed(`at most ${SCOPES_MAX} scopes`);
  return access.tokens.issue(caller, parseScopes(scopes), { offline });
}

function describe({ accessToken, refreshToken, expiresInS, issuedAtMs }: IssuedTokens) {
  return {
    access_token: accessToken,
    expires_in: expiresInS,
    issued_at: new Date(issuedAtMs).toISOString(),
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
  };
}

/** Whom the form names, which need not be who sent it. */
function callerOf({ access, request, caller }: Call, form: URLSearchParams): Promise<Caller> | Caller {
  const field = (name: string) => onlyValue(form, name, () => malformed(`one ${name}`)) ?? "";
  switch (field("grant_type")) {
    case "refresh_token":
      return access.identifyRefresh(field("refresh_token"), request);
    case "password":
      return access.identify({
        ...request,
        authorization: formatBasic(field("username"), field("password")),
      });
    case "client_credentials":
      return caller;
    default:
      throw malformed("grant_type to be password, refresh_token or client_credentials");
  }
}

async function readForm({ body, headers }: Call): Promise<URLSearchParams> {
  const type = headers.get("Content-Type")?.replace(/;.*/, "").trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded" || !body) throw malformed("a form");
  const bytes = await readAll(body, FORM_BYTES_MAX, () => malformed(`at most ${FORM_BYTES_MAX} bytes`, 413));
  return new URLSearchParams(new TextDecoder().decode(bytes));
}

function formatBasic(username: string, password: string): string {
  if (username.includes(":")) throw malformed("a user name without a colon");
  return `Basic ${new TextEncoder().encode(`${username}:${password}`).toBase64()}`;
}

/** Tokens are kept by nobody on the way (RFC 6749, section 5.1). */
function tokenAnswer(value: unknown): Response {
  return jsonAnswer(value, { headers: { "Cache-Control": "no-store", "Pragma": "no-cache" } });
}

function malformed(expected: string, status = 400): OciError {
  return new OciError("UNSUPPORTED", `Cannot give a token: expected ${expected}`, { status });
}
