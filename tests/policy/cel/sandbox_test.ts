/** The policy plugin behind its wall. */

import { startPlugin } from "../../../server/sandbox/mod.ts";
import { assertEquals } from "../../support/assert.ts";
import { ROOT } from "../../support/registry.ts";
import { questionOf } from "./question.ts";

const POLICIES = [{
  path: ["repository", "team/*", "access_policy"],
  pattern: "team/*",
  default_allow: false,
  rules: [
    "request.action == 'put-manifest' && 'ops' in identity.groups",
    "request.reference.matches('^v[0-9]+$') && request.time > timestamp('2026-01-01T00:00:00Z')",
  ],
}];

function start(policies: unknown) {
  return startPlugin({
    name: "cel",
    kind: "policy",
    folder: `${ROOT}plugins/policy/cel`,
    entry: "cel.ts",
    isolation: "worker",
    permissions: {},
    options: { policies },
  });
}

Deno.test("cel decides, explains and checks behind its wall without any permission", async () => {
  const plugin = await start(POLICIES);
  try {
    const policy = plugin.serve("policy");
    const rule = (index: number) => `repository."team/*".access_policy.rules[${index}]`;
    assertEquals(await policy.decide(questionOf()), {
      effect: "allow",
      rule: rule(1),
      reason: "the rule is true",
    });
    assertEquals(await policy.explain!(questionOf({ reference: "latest" })), [
      { rule: rule(0), text: POLICIES[0]!.rules[0], verdict: "false" },
      { rule: rule(1), text: POLICIES[0]!.rules[1], verdict: "false" },
    ]);
    assertEquals(await policy.check!(), []);
  } finally {
    await plugin.close();
  }
});

Deno.test("cel starts with rules that are wrong, tells them and denies", async () => {
  const [policy] = POLICIES;
  const plugin = await start([{ ...policy, rules: ["identity.user == 'bob'"] }]);
  try {
    const cel = plugin.serve("policy");
    assertEquals(await cel.check!(), [{
      path: ["repository", "team/*", "access_policy", "rules", "0"],
      offset: 9,
      length: 4,
      message: 'unknown variable "identity.user"',
    }]);
    assertEquals((await cel.decide(questionOf())).effect, "deny");
  } finally {
    await plugin.close();
  }
});
