/**
 * An auth plugin that lets an outside service say whose a credential is: docs/webhooks.md has the protocol.
 *
 * @module
 */

import type { Auth, AuthAnswer, AuthQuestion } from "@sreg/contract/auth.ts";
import { PluginError } from "@sreg/contract/error.ts";
import type { JsonObject } from "@sreg/contract/identity.ts";
import type { CreatePlugin } from "@sreg/contract/plugin.ts";
import { readAnswer } from "./answer.ts";
import { certificateFacts } from "../../webhook/certificate.ts";
import { chooseFacts, readSettings, type WebhookOptions } from "../../webhook/settings.ts";
import { Silence } from "../../webhook/silence.ts";
import { Webhook } from "../../webhook/webhook.ts";

/** The settings of the plugin. */
export interface AuthWebhookOptions extends WebhookOptions {
  /** What it means when there is no answer. */
  readonly on_silence: "refuse" | "ignore";
  /** Which credentials the service gets to see. */
  readonly credentials: "basic" | "bearer" | "both";
}

const FOREIGN: AuthAnswer = { outcome: "foreign" };
const FACTS = ["certificate", "client_address"] as const;

type Fact = (typeof FACTS)[number];

/** Serves the auth contract for one service. */
export const create: CreatePlugin<Auth, AuthWebhookOptions> = (options) => {
  const { credentials, on_silence, send } = options;
  const settings = readSettings(options);
  const webhook = new Webhook(settings, (reply) => readAnswer(reply, settings.name));
  const chosen = chooseFacts(send, FACTS);
  return {
    authenticate: async (question) => {
      const { scheme } = question.credential;
      if (scheme === "none" || (credentials !== "both" && credentials !== scheme)) return FOREIGN;
      try {
        const { answer, holdsMs } = await webhook.ask(describeQuestion(question, chosen));
        return answer.outcome === "known" ? { ...answer, cacheForMs: holdsMs } : answer;
      } catch (error) {
        if (!(error instanceof Silence)) throw error;
        if (on_silence === "ignore") return FOREIGN;
        throw new PluginError("unavailable", error.message, { cause: error });
      }
    },
  };
};

function describeQuestion(question: AuthQuestion, chosen: ReadonlySet<Fact>): JsonObject {
  const { credential, certificate, clientAddress } = question;
  return {
    ...credential,
    ...(chosen.has("certificate") && { certificate: certificate && certificateFacts(certificate) }),
    ...(chosen.has("client_address") && { client_address: clientAddress }),
  };
}
