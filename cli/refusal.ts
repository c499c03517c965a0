/** Says in words why a server was not asked, or said no, and what to do about it. */

import { list, object, type Shaped, text } from "./shape.ts";
import type { Target } from "./target.ts";

/** An answer that is none of what was asked for. */
export interface Refused {
  readonly status: number;
  /** Its body, as JSON where it is that. */
  readonly value: unknown;
  readonly content: string;
}

const ERRORS = object({ errors: list(object({ message: text })) });
const TEXT_SHOWN = 200;
/** What the guard says of an action, before anything of it is done. */
const GUARDED = /^Cannot ([a-z]+(?:\.[a-z]+)?-[a-z-]+): (.+)$/s;
const NOT_SIGNED_IN = "authentication is required";
const UNKNOWN_PATH = /^Cannot serve the path: /;
const ELSEWHERE =
  "it has no administration here (404): is this the URL of sreg, and of its [admin] where that has a listener of its own?";

/** What sreg says for itself is a whole sentence: "Cannot delete the role: it is built in". */
export function explainRefusal(
  refused: Refused,
  { server, signIn, credentials }: Target,
): string {
  const { origin } = server;
  const { status } = refused;
  const said = messageOf(refused);
  const [, action, reason] = GUARDED.exec(said ?? "") ?? [];
  if (status === 401 && (action === undefined || reason === NOT_SIGNED_IN)) {
    const why = reason === undefined ? `401 ${said ?? "and says nothing more"}` : `${reason} (401)`;
    return `Cannot ask ${origin}: ${why}${signIn ?? (credentials ? "" : "; sign in: sregctl login")}`;
  }
  if (action !== undefined) return `Cannot do that: ${reason} (${status}); it takes the action ${action}`;
  if (status === 404 && (said === undefined || UNKNOWN_PATH.test(said))) {
    return `Cannot ask ${server.href.replace(/\/+$/, "")}: ${ELSEWHERE}`;
  }
  if (said?.startsWith("Cannot ")) return `${said} (${status})`;
  const shown = said ?? (refused.content.trim().slice(0, TEXT_SHOWN) || "and says nothing more");
  return `Cannot ask ${origin}: ${status} ${shown}`;
}

function messageOf({ value }: Refused): string | undefined {
  if (value === undefined || ERRORS.problem(value, "") !== undefined) return undefined;
  return (value as Shaped<typeof ERRORS>).errors.map(({ message }) => message).join("; ");
}

/** Why nothing came: the runtime's message with its URL and its wrapping taken off. */
export function explainSilence({ message, cause }: Error, { protocol }: URL): string {
  const inner = cause instanceof Error ? cause.message : message;
  const reason = inner.replace(/^.*?error sending request for url \([^)]*\): /, "")
    .replace(/^.*?client error \(\w+\): /, "").replace(/^(?:tcp connect|dns) error: /, "");
  if (/InvalidContentType/.test(reason)) return "it does not speak TLS; is its URL http://…?";
  if (
    /invalid HTTP version|incomplete message|connection closed before|unexpected EOF/i.test(reason) &&
    protocol === "http:"
  ) {
    return `${reason}; does it speak TLS, is its URL https://…?`;
  }
  if (/UnknownIssuer|CaUsedAsEndEntity/.test(reason)) {
    return `${reason}; to trust a CA of your own: login --ca FILE, SREG_CA`;
  }
  return /refused/.test(reason) ? `${reason}; does it run?` : reason;
}
