import type { Identity } from "@sreg/contract/identity.ts";
import type { PolicyAnswer } from "@sreg/contract/policy.ts";
import { assertEquals, assertThrows } from "../../../tests/support/assert.ts";
import { questionOf, type QuestionParts } from "../../../tests/policy/cel/question.ts";
import { create } from "./cel.ts";

interface Table {
  readonly path: readonly string[];
  readonly pattern?: string | null;
  readonly default_allow: boolean;
  readonly rules: readonly string[];
}

function globally(defaultAllow: boolean, ...rules: string[]): Table {
  return { path: ["global", "access_policy"], default_allow: defaultAllow, rules };
}

function of(pattern: string, defaultAllow: boolean, ...rules: string[]): Table {
  return { path: ["repository", pattern, "access_policy"], pattern, default_allow: defaultAllow, rules };
}

async function decide(policies: readonly Table[], parts: QuestionParts = {}): Promise<PolicyAnswer> {
  const policy = await create({ policies });
  return policy.decide(questionOf(parts));
}

/** The answer in short: `allow by global.access_policy.rules[0]`, `abstain, else deny, by …`. */
async function outcome(policies: readonly Table[], parts: QuestionParts = {}): Promise<string> {
  const { effect, fallback, rule } = await decide(policies, parts);
  return `${effect}${fallback ? `, else ${fallback},` : ""} by ${rule}`;
}

const BOB: Partial<Identity> = { id: "1", username: "bob", groups: ["ops"] };
const IS_BOB = "identity.username == 'bob'";
const IS_EVE = "identity.username == 'eve'";
const ERRS = "identity.claims.missing == 1";
const IS_V1 = "request.reference == 'v1'";
const IS_V2 = "request.reference == 'v2'";

const GLOBAL = "global.access_policy";
const TEAM = "repository.team.access_policy";

const OUTCOMES: readonly (readonly [what: string, policies: readonly Table[], outcome: string])[] = [
  ["nothing, where there is no policy", [], "abstain by cel"],
  ["nothing, where no policy is about the repository", [of("other", false)], "abstain by cel"],
  [
    "the default that allows, where there are no rules",
    [globally(true)],
    `abstain, else allow, by ${GLOBAL}.default_allow`,
  ],
  [
    "the default that denies, where there are no rules",
    [globally(false)],
    `abstain, else deny, by ${GLOBAL}.default_allow`,
  ],
  [
    "the default that allows, where no rule is true",
    [globally(true, IS_EVE, "false")],
    `abstain, else allow, by ${GLOBAL}.default_allow`,
  ],
  [
    "the default that denies, where no rule is true",
    [globally(false, IS_EVE, "false")],
    `abstain, else deny, by ${GLOBAL}.default_allow`,
  ],
  [
    "a denial by the first rule that is true",
    [globally(true, IS_EVE, IS_BOB, "true")],
    `deny by ${GLOBAL}.rules[1]`,
  ],
  [
    "a permission by the first rule that is true",
    [globally(false, IS_EVE, IS_BOB, "true")],
    `allow by ${GLOBAL}.rules[1]`,
  ],
  [
    "a denial by a rule that errs, where rules allow",
    [globally(false, IS_EVE, ERRS, "true")],
    `deny by ${GLOBAL}.rules[1]`,
  ],
  ["a denial by a rule that errs, where rules deny", [globally(true, ERRS)], `deny by ${GLOBAL}.rules[0]`],
  ["a denial by a rule that comes to no bool", [globally(false, "dyn(1)")], `deny by ${GLOBAL}.rules[0]`],
  [
    "a permission before a rule that would err",
    [globally(false, IS_BOB, ERRS)],
    `allow by ${GLOBAL}.rules[0]`,
  ],
  [
    "what && passes over",
    [globally(false, `${ERRS} && false`, `${ERRS} || true`)],
    `allow by ${GLOBAL}.rules[1]`,
  ],
  [
    "a denial of the global policy",
    [globally(true, IS_BOB), of("team", false, "true")],
    `deny by ${GLOBAL}.rules[0]`,
  ],
  [
    "a denial of the repository's policy",
    [globally(false, "true"), of("team", true, IS_BOB)],
    `deny by ${TEAM}.rules[0]`,
  ],
  [
    "a permission of the global policy",
    [globally(false, IS_BOB), of("team", false)],
    `allow by ${GLOBAL}.rules[0]`,
  ],
  [
    "a permission of the repository's policy",
    [globally(false), of("team", false, IS_BOB)],
    `allow by ${TEAM}.rules[0]`,
  ],
  [
    "the global default that denies",
    [globally(false), of("team", true)],
    `abstain, else deny, by ${GLOBAL}.default_allow`,
  ],
  [
    "the repository's default that denies",
    [globally(true), of("team", false)],
    `abstain, else deny, by ${TEAM}.default_allow`,
  ],
  [
    "both defaults that allow",
    [globally(true), of("team", true)],
    `abstain, else allow, by ${GLOBAL}.default_allow`,
  ],
  ["the exact name's policy alone", [
    of("**", true, "true"),
    of("team/app", false, IS_BOB),
    of("team/*", true, "true"),
  ], `allow by repository."team/app".access_policy.rules[0]`],
  ["the longest prefix's policy alone", [
    of("*/app", true, "true"),
    of("team/*", false, IS_BOB),
    of("team", true, "true"),
  ], `allow by repository."team/*".access_policy.rules[0]`],
  ["a name's policy for what is below it", [of("team", false, IS_BOB)], `allow by ${TEAM}.rules[0]`],
];

for (const [what, policies, expected] of OUTCOMES) {
  Deno.test(`cel answers ${what}`, async () => {
    assertEquals(await outcome(policies, { identity: BOB }), expected);
    assertEquals(await outcome(policies.toReversed(), { identity: BOB }), expected);
  });
}

Deno.test("cel asks only the global policy about what is about no repository", async () => {
  const policies = [globally(false, "request.namespace == null"), of("**", true, "true")];
  assertEquals(await outcome(policies, { namespace: null }), `allow by ${GLOBAL}.rules[0]`);
});

Deno.test("cel answers whole, and for a minute", async () => {
  assertEquals(await decide([globally(false, IS_BOB)], { identity: BOB }), {
    effect: "allow",
    rule: "global.access_policy.rules[0]",
    reason: "the rule is true",
    cacheForMs: 60_000,
  });
  assertEquals(await decide([globally(true)]), {
    effect: "abstain",
    fallback: "allow",
    rule: "global.access_policy.default_allow",
    reason: "no rule of the policy is true",
    cacheForMs: 60_000,
  });
});

Deno.test("cel says what went wrong in a rule", async () => {
  assertEquals(await decide([of("team/*", false, IS_EVE, ERRS)]), {
    effect: "deny",
    rule: 'repository."team/*".access_policy.rules[1]',
    reason: "the rule could not be evaluated",
    warning: 'Cannot evaluate repository."team/*".access_policy.rules[1]: field not found: missing',
    cacheForMs: 60_000,
  });
});

Deno.test("cel answers for now only where an applicable rule reads the time", async () => {
  const timed = "request.time.getHours() == 12";
  const cacheForMs = async (policies: readonly Table[]) => (await decide(policies)).cacheForMs;
  assertEquals(await cacheForMs([globally(false, timed)]), undefined);
  assertEquals(await cacheForMs([globally(false, "true", timed)]), undefined);
  assertEquals(
    await cacheForMs([globally(false, "true"), of("team", false, "has(request.time)")]),
    undefined,
  );
  assertEquals(await cacheForMs([globally(false, "true"), of("other", false, timed)]), 60_000);
});

const AHEAD: readonly (readonly [what: string, policies: readonly Table[], outcome: string])[] = [
  [
    "does not deny by what is not known yet",
    [globally(true, IS_V1)],
    `abstain, else allow, by ${GLOBAL}.default_allow`,
  ],
  ["allows what may come to be allowed", [globally(false, IS_V2)], `allow by ${GLOBAL}.rules[0]`],
  ["denies by what is known", [globally(true, IS_V1, IS_BOB)], `deny by ${GLOBAL}.rules[1]`],
  [
    "denies by a rule of which what is known is enough",
    [globally(true, `${IS_V2} || ${IS_BOB}`)],
    `deny by ${GLOBAL}.rules[0]`,
  ],
  [
    "does not allow by a rule that is false whatever comes",
    [globally(false, `${IS_V1} && ${IS_EVE}`)],
    `abstain, else deny, by ${GLOBAL}.default_allow`,
  ],
  ["denies by a rule that errs whatever comes", [globally(false, ERRS, IS_V1)], `deny by ${GLOBAL}.rules[0]`],
  [
    "lets a denial win over what may be allowed",
    [globally(false, IS_V1), of("team", true, IS_BOB)],
    `deny by ${TEAM}.rules[0]`,
  ],
];

for (const [what, policies, expected] of AHEAD) {
  Deno.test(`cel, asked ahead, ${what}`, async () => {
    assertEquals(await outcome(policies, { identity: BOB, ahead: true, reference: null }), expected);
  });
}

Deno.test("cel explains every rule of the policies that apply", async () => {
  const policy = await create({
    policies: [globally(true, IS_BOB, ERRS), of("team", false, IS_EVE, IS_V1), of("other", false, "true")],
  });
  const known = [
    { rule: `${GLOBAL}.rules[0]`, text: IS_BOB, verdict: "true" },
    { rule: `${GLOBAL}.rules[1]`, text: ERRS, verdict: "field not found: missing" },
    { rule: `${TEAM}.rules[0]`, text: IS_EVE, verdict: "false" },
  ];
  const last = { rule: `${TEAM}.rules[1]`, text: IS_V1 };
  assertEquals(await policy.explain(questionOf({ identity: BOB })), [...known, { ...last, verdict: "true" }]);
  assertEquals(await policy.explain(questionOf({ identity: BOB, ahead: true })), [
    ...known,
    { ...last, verdict: "not known ahead of the request" },
  ]);
});

Deno.test("cel tells where its rules are wrong, and denies everything until they are right", async () => {
  const policies = [
    globally(true, "true", "user == 'bob'"),
    of("team/*", false, "request.acton == 'x'", "("),
  ];
  const policy = await create({ policies });
  assertEquals(await policy.check(), [
    {
      path: ["global", "access_policy", "rules", "1"],
      offset: 0,
      length: 4,
      message: 'unknown variable "user"',
    },
    {
      path: ["repository", "team/*", "access_policy", "rules", "0"],
      offset: 8,
      length: 5,
      message: 'unknown variable "request.acton", did you mean "request.action"?',
    },
    {
      path: ["repository", "team/*", "access_policy", "rules", "1"],
      offset: 1,
      length: 0,
      message: "syntax error: the rule ends too early",
    },
  ]);
  assertEquals(await policy.decide(questionOf({ namespace: "elsewhere" })), {
    effect: "deny",
    rule: "global.access_policy.rules[1]",
    reason: "the policies have mistakes",
    warning: 'Cannot evaluate global.access_policy.rules[1]: unknown variable "user"',
  });
});

Deno.test("cel finds nothing wrong with rules that are right, nor with none", async () => {
  assertEquals(await (await create({ policies: [globally(false, IS_BOB)] })).check(), []);
  assertEquals(await (await create({})).check(), []);
});

const MALFORMED: readonly (readonly [policies: unknown, expected: string])[] = [
  [{}, "a list"],
  [[null], "path in each"],
  [[{ ...globally(true), path: "global" }], "path in each"],
  [[{ ...globally(true), pattern: 4 }], "a text as pattern, or none"],
  [[{ ...globally(true), default_allow: "yes" }], "default_allow in each"],
  [[{ ...globally(true), rules: [true] }], "rules in each"],
];

Deno.test("cel does not start on settings that are no policies", () => {
  for (const [policies, expected] of MALFORMED) {
    assertThrows(() => create({ policies }), {
      message: `Cannot read the setting policies: expected ${expected}`,
    });
  }
});
