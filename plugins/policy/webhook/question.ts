import type { JsonObject } from "@sreg/contract/identity.ts";
import type { PolicyQuestion } from "@sreg/contract/policy.ts";
import { certificateFacts } from "../../webhook/certificate.ts";
import { chooseFacts } from "../../webhook/settings.ts";

/** A question as a service is asked it. */
export interface Question {
  /** What the decision may depend on for longer than a moment. */
  readonly lasting: JsonObject;
  /** When the question is asked. */
  readonly passing: JsonObject;
}

const FACTS = [
  ...["action", "namespace", "digest", "reference", "tags", "method", "client_address", "time", "ahead"],
  ...["identity.id", "identity.username", "identity.groups", "identity.claims", "identity.provider"],
  "identity.certificate",
];

/** What puts questions into the protocol's words, with those facts that `send` names. Throws where it names others. */
export function chooseQuestion(send: readonly string[] | undefined): (question: PolicyQuestion) => Question {
  const chosen = chooseFacts(send, FACTS);
  return (question) => {
    const { identity, clientAddress: client_address, timeMs, ...named } = question;
    const certificate = identity.certificate && certificateFacts(identity.certificate);
    const about = pick({ ...identity, certificate }, (name) => chosen.has(`identity.${name}`));
    const lasting = pick({ ...named, client_address }, (name) => chosen.has(name));
    return {
      lasting: Object.keys(about).length === 0 ? lasting : { ...lasting, identity: about },
      passing: chosen.has("time") ? { time: new Date(timeMs).toISOString() } : {},
    };
  };
}

function pick(facts: JsonObject, isChosen: (name: string) => boolean): JsonObject {
  return Object.fromEntries(Object.entries(facts).filter(([name]) => isChosen(name)));
}
