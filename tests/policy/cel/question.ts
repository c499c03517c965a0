/** Questions for policies, of which a test only names what it is about. */

import type { PolicyQuestion } from "../../../plugins/contract/policy.ts";
import type { Identity } from "../../../plugins/contract/identity.ts";
import { ANONYMOUS } from "../../../plugins/contract/identity.ts";

/** What a test says of a question. */
export type QuestionParts = Partial<Omit<PolicyQuestion, "identity">> & {
  readonly identity?: Partial<Identity>;
};

/** A question: somebody anonymous pulls `team/app:v1` at noon, but for what `parts` says. */
export function questionOf({ identity, ...parts }: QuestionParts = {}): PolicyQuestion {
  return {
    identity: { ...ANONYMOUS, ...identity },
    action: "get-manifest",
    namespace: "team/app",
    digest: null,
    reference: "v1",
    tags: [],
    method: "GET",
    clientAddress: "192.0.2.7",
    timeMs: Date.UTC(2026, 2, 4, 12, 30, 15, 250),
    ahead: false,
    ...parts,
  };
}
