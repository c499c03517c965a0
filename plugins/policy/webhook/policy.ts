/**
 * A policy plugin that lets an outside service decide: docs/webhooks.md has the protocol.
 *
 * @module
 */

import type { CreatePlugin } from "@sreg/contract/plugin.ts";
import type { Policy, PolicyAnswer } from "@sreg/contract/policy.ts";
import { readSettings, type WebhookOptions } from "../../webhook/settings.ts";
import { Silence } from "../../webhook/silence.ts";
import { Webhook } from "../../webhook/webhook.ts";
import { readDecision } from "./decision.ts";
import { chooseQuestion } from "./question.ts";

/** The settings of the plugin. */
export interface PolicyWebhookOptions extends WebhookOptions {
  /** What it means when there is no answer. */
  readonly on_silence: "refuse" | "allow";
}

/** Serves the policy contract for one service. */
export const create: CreatePlugin<Policy, PolicyWebhookOptions> = (options) => {
  const settings = readSettings(options);
  const webhook = new Webhook(settings, readDecision);
  const describeQuestion = chooseQuestion(options.send);
  const rule = `policy.webhook.${settings.name}`;
  const decide: Policy["decide"] = async (question) => {
    const { lasting, passing } = describeQuestion(question);
    try {
      const { answer, holdsMs } = await webhook.ask(lasting, passing);
      return { ...answer, rule, cacheForMs: holdsMs };
    } catch (error) {
      if (error instanceof Silence) return answerSilence(error, { rule, means: options.on_silence });
      throw error;
    }
  };
  return {
    decide,
    explain: async (question) => {
      const { effect, reason } = await decide(question);
      const { origin, pathname } = settings.url;
      return [{ rule, text: `asks ${origin}${pathname}`, verdict: `${effect}: ${reason}` }];
    },
  };
};

function answerSilence(
  { message }: Silence,
  { rule, means }: { readonly rule: string; readonly means: PolicyWebhookOptions["on_silence"] },
): PolicyAnswer {
  const effect = means === "allow" ? "allow" : "deny";
  return { effect, rule, reason: "the webhook did not answer", warning: message.slice(0, 1_000) };
}
