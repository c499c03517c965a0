import fc from "fast-check";
import { ANONYMOUS, type Identity } from "@sreg/contract/identity.ts";
import { assert, assertEquals } from "../../../tests/support/assert.ts";
import { questionOf, type QuestionParts } from "../../../tests/policy/cel/question.ts";
import { compileRule, DEPTH_MAX, TEXT_MAX, type Verdict } from "./rule.ts";
import { bindQuestion } from "./variables.ts";

function evaluate(text: string, parts: QuestionParts = {}): Verdict {
  const { rule, problems } = compileRule(text);
  assertEquals(problems, []);
  const question = questionOf(parts);
  return rule!.evaluate(bindQuestion(question), question);
}

/** The problems of a rule, each as the text that it points at and what it says. */
function problemsOf(text: string): [string, string][] {
  return compileRule(text).problems.map(({ offset, length, message }) => [
    text.slice(offset, offset + length),
    message,
  ]);
}

const BOB: Partial<Identity> = {
  id: "oidc:ci:42",
  username: "bob",
  groups: ["readers", "ops"],
  claims: {
    repo: "acme/app",
    level: 3,
    tags: ["a", "b"],
    deep: { er: true },
    nothing: null,
    ["__proto__"]: "own",
  },
  provider: "ci",
  certificate: {
    commonNames: ["bob.example"],
    organizations: ["Acme"],
    dnsNames: ["bob.test"],
    uris: ["spiffe://acme/bob"],
    emails: ["bob@acme.example"],
    fingerprint: "ab".repeat(32),
  },
};

const TRUE_OF_BOB = [
  "identity.id == 'oidc:ci:42'",
  "identity.username == 'bob'",
  "identity.groups == ['readers', 'ops']",
  "'ops' in identity.groups && identity.groups.contains('ops') && !identity.groups.contains('op')",
  "identity.claims.repo == 'acme/app' && identity.claims['level'] >= 3",
  "identity.claims.tags.contains('a') && identity.claims.deep.er",
  "identity.claims.nothing == null && identity.claims.__proto__ == 'own'",
  "identity.claims.exists(name, name == 'repo')",
  "identity.certificate.common_names[0] == 'bob.example'",
  "'Acme' in identity.certificate.organizations",
  "'bob.test' in identity.certificate.dns_names",
  "identity.certificate.uris.exists(uri, uri.startsWith('spiffe://acme/'))",
  "'bob@acme.example' in identity.certificate.emails",
  "identity.certificate.fingerprint.size() == 64",
  "identity.oidc != null && has(identity.oidc)",
  "identity.oidc.provider_name == 'ci' && identity.oidc.provider_type == 'oidc'",
  "identity.oidc.claims.repo == 'acme/app' && has(identity.oidc.claims.repo)",
  "identity.client_ip == '192.0.2.7'",
  "request.action == 'get-manifest'",
  "request.namespace == 'team/app'",
  "request.digest == null && !has(request.digest)",
  "request.reference == 'v1' && has(request.reference)",
  "request.tags == [] && has(request.tags)",
  "request.method == 'GET'",
  "request['client_address'] == '192.0.2.7'",
  "request.time == timestamp('2026-03-04T12:30:15.250Z')",
  "request.time.getHours() == 12 && request.time.getHours('+02:00') == 14",
  "request.time.getHours('Europe/Berlin') == 13 && request.time.getDayOfWeek() == 3",
  "request.time - timestamp('2026-03-04T12:00:00Z') > duration('30m')",
  "request.reference.matches('^v[0-9]+$')",
  "(request.namespace + '/').startsWith('team/')",
  "size(identity.groups.filter(group, group.startsWith('r'))) == 1",
  "identity.groups.map(group, group + '!') == ['readers!', 'ops!']",
  "identity.groups.exists(a, identity.groups.exists(b, a != b))",
  "identity.groups.exists_one(group, group == 'ops') && identity.groups.all(group, group != '')",
  "type(identity.claims.level) == double && identity.claims.level == 3",
];

for (const text of TRUE_OF_BOB) {
  Deno.test(`a rule knows that ${text}`, () => assertEquals(evaluate(text, { identity: BOB }), true));
}

Deno.test("a rule knows of the anonymous that they have nothing", () => {
  const rules = [
    "identity.id == null && identity.username == null && identity.groups == []",
    "!has(identity.id) && !has(identity.username) && has(identity.groups)",
    "identity.claims == {} && identity.oidc == null && !has(identity.claims.repo)",
    "identity.certificate.common_names == [] && identity.certificate.organizations == []",
    "identity.certificate.dns_names == [] && identity.certificate.uris == []",
    "identity.certificate.emails == [] && identity.certificate.fingerprint == null",
  ];
  assertEquals(rules.filter((text) => evaluate(text) !== true), []);
});

Deno.test("a rule that errs says why", () => {
  assertEquals(evaluate("identity.username.startsWith('b')"), {
    error: "found no matching overload for 'startsWith' applied to 'null_type.(string)'",
  });
  assertEquals(evaluate("identity.claims.repo == 'x'"), { error: "field not found: repo" });
  assertEquals(evaluate("identity.claims.repo", { identity: BOB }), { error: "it came to no bool" });
  assertEquals(evaluate("1 / (size(request.tags)) == 1"), { error: "int divide by zero" });
});

Deno.test("a rule that is asked ahead is unknown only if what is not known yet matters", () => {
  const ahead = (text: string) => evaluate(text, { ahead: true, identity: BOB });
  assertEquals(ahead("request.reference == 'v1'"), "unknown");
  assertEquals(ahead("has(request.reference)"), "unknown");
  assertEquals(ahead("request.digest == null"), "unknown");
  assertEquals(ahead("request.tags.all(tag, tag != 'x')"), "unknown");
  assertEquals(ahead("identity.username == 'bob' && request.reference == 'v1'"), "unknown");
  assertEquals(ahead("identity.username == 'eve' && request.reference == 'v1'"), false);
  assertEquals(ahead("request.reference == 'v1' || identity.username == 'bob'"), true);
  assertEquals(ahead("identity.username == 'bob'"), true);
  assertEquals(ahead("identity.claims.missing == 'x'"), { error: "field not found: missing" });
});

const PROBLEMS: readonly (readonly [text: string, at: string, message: string])[] = [
  [
    "identity.usernam == 'x'",
    "usernam",
    'unknown variable "identity.usernam", did you mean "identity.username"?',
  ],
  [
    "has(identity.usernam)",
    "usernam",
    'unknown variable "identity.usernam", did you mean "identity.username"?',
  ],
  [
    "( identity . usernam ) == ''",
    "usernam",
    'unknown variable "identity.usernam", did you mean "identity.username"?',
  ],
  ["request['acton'] == 'x'", "'acton'", 'unknown variable "request.acton", did you mean "request.action"?'],
  ["identiy.username == 'x'", "identiy", 'unknown variable "identiy", did you mean "identity"?'],
  ["'😀é' != user", "user", 'unknown variable "user"'],
  ["identity.oidc.name == 'x'", "name", 'unknown variable "identity.oidc.name"'],
  ["identity.constructor == 'x'", "constructor", 'unknown variable "identity.constructor"'],
  ["identity.__proto__ == 'x'", "__proto__", 'unknown variable "identity.__proto__"'],
  ["__proto__ == null", "__proto__", 'unknown variable "__proto__"'],
  ["constructor.constructor('x')", "constructor", 'unknown function "constructor"'],
  [
    "request == null",
    "request",
    '"request" is no value itself, name one of its fields, such as request.action',
  ],
  [
    "dyn(identity) == 1",
    "identity",
    '"identity" is no value itself, name one of its fields, such as identity.id',
  ],
  ["request[identity.id] == 1", "identity.id", "a field of request must be written out"],
  ["identity.groups.exists(g, h == '')", "h", 'unknown variable "h"'],
  ["identity.groups.exists(g, g == '') && g == ''", "g", 'unknown variable "g"'],
  ["identity.groups.exists(g)", "exists", '"exists" is used so: list.exists(item, condition)'],
  ["identity.groups.exists(identity, true)", "exists", 'the name "identity" is taken'],
  ["identity.groups.all(g, 'x')", "'x'", "expected a bool, this is a string"],
  ["request.method.all(g, true)", "all", "only lists and maps can be gone through, this is a string"],
  ["identity.id.startWith('x')", "startWith", 'unknown function "startWith", did you mean "startsWith"?'],
  ["matchs(identity.id)", "matchs", 'unknown function "matchs", did you mean "matches"?'],
  ["identity.id.startsWith()", "startsWith", '"startsWith" takes 1 argument, found 0'],
  ["identity.id.startsWith('x', 'y')", "startsWith", '"startsWith" takes 1 argument, found 2'],
  ["request.time.getHours('a', 'b') == 1", "getHours", '"getHours" takes 0 or 1 arguments, found 2'],
  ["startsWith(identity.id, 'x')", "startsWith", '"startsWith" is used so: value.startsWith(…)'],
  ["'2026'.timestamp() == request.time", "timestamp", '"timestamp" is used so: timestamp(…)'],
  ["identity.groups.startsWith('x')", "startsWith", '"startsWith" of a list does not take string'],
  ["identity.id.getHours() == 1", "getHours", 'there is no "getHours" of a string'],
  ["identity.id.startsWith(5)", "startsWith", '"startsWith" of a string does not take int'],
  ["identity.id + 1 == 'x'", "+", '"+" does not take string and int'],
  ["size(request.tags) > 'a'", ">", '">" does not take int and string'],
  ["!identity.id", "!", '"!" does not take string'],
  ["'x' in identity.id", "in", '"in" does not take string and string'],
  ["identity.id == 5", "==", "a string never equals an int"],
  ["identity.groups != 'x'", "!=", "a list never equals a string"],
  ["1 in identity.groups", "in", "an int never equals a string"],
  ["identity.groups.contains(4)", "contains", "an int never equals a string"],
  ["identity.id in ['x', 4]", "in", "a string never equals an int"],
  ["identity.id", "identity.id", "expected a bool, this is a string"],
  ["size(identity.groups)", "size(identity.groups", "expected a bool, this is an int"],
  ["true && identity.groups", "identity.groups", "expected a bool, this is a list"],
  ["identity.id ? true : false", "identity.id", "expected a bool, this is a string"],
  ["identity.id.name == 'x'", "name", "a string has no fields"],
  ["identity.id[0] == 'x'", "0", "a string has no elements"],
  ["identity.groups['a'] == 'x'", "'a'", "an element of a list is named by a number, this is a string"],
  [
    "request.action == 'get-manifst'",
    "'get-manifst'",
    'unknown action "get-manifst", did you mean "get-manifest"?',
  ],
  ["'push' != request.action", "'push'", 'unknown action "push"'],
  [
    "request.action in ['get-blob', 'put-blob']",
    "'put-blob'",
    'unknown action "put-blob", did you mean "get-blob"?',
  ],
  ["['get-blb'].contains(request.action)", "'get-blb'", 'unknown action "get-blb", did you mean "get-blob"?'],
  ["identity.id.matches('(')", "'('", "invalid pattern: error parsing regexp: missing closing ): `(`"],
  [
    "identity.id.matches('(?=x)')",
    "'(?=x)'",
    "invalid pattern: error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
  ],
  ["identity.id.matches(request.method)", "request.method", "a pattern must be written out"],
  ["request.time < timestamp('2026-13-01')", "'2026-13-01'", 'not a timestamp: "2026-13-01"'],
  ["request.time - request.time < duration('1y')", "'1y'", 'not a duration: "1y"'],
  ["request.time.getHours('Europe/Berln') < 8", "'Europe/Berln'", 'unknown time zone "Europe/Berln"'],
  ["google.protobuf.Struct{} == null", "google", 'unknown type "google.protobuf.Struct"'],
  ["request.action = 'get-blob'", "=", 'syntax error at "=", did you mean "=="?'],
  ["request.action == 'get-blob", "==", 'syntax error at or behind "=="'],
  ["true &&\n  & false", "&&", 'syntax error at or behind "&&"'],
  ["true & false", "&", 'syntax error at "&"'],
  ["😀 == true", "😀", 'syntax error at "😀"'],
  ["(true", "", "syntax error: the rule ends too early"],
  ["", "", "syntax error: the rule ends too early"],
];

for (const [text, at, message] of PROBLEMS) {
  Deno.test(`compileRule() points at "${at}" of ${JSON.stringify(text)}`, () => {
    assertEquals(problemsOf(text), [[at, message]]);
  });
}

Deno.test("compileRule() tells where a word stands that stands there more than once", () => {
  const text = "identity.id == 'usernam' && identity.usernam == 'usernam'";
  const [problem] = compileRule(text).problems;
  assertEquals([problem?.offset, problem?.length], [37, 7]);
  assertEquals(compileRule("has(request.quest)").problems[0]?.offset, 12);
});

Deno.test("compileRule() tells all that is wrong, in order", () => {
  assertEquals(problemsOf("request.acton == 1 || user == 'x' || request.action == 'pull'"), [
    ["acton", 'unknown variable "request.acton", did you mean "request.action"?'],
    ["user", 'unknown variable "user"'],
    ["'pull'", 'unknown action "pull"'],
  ]);
});

Deno.test("compileRule() takes any administrative action", () => {
  assertEquals(problemsOf("request.action == 'admin.something-new'"), []);
});

Deno.test("compileRule() refuses a rule that is too long, at once", () => {
  const text = `identity.id == '${"x".repeat(1_000_000)}'`;
  const started = performance.now();
  assertEquals(compileRule(text).problems, [{
    offset: TEXT_MAX,
    length: text.length - TEXT_MAX,
    message: `a rule has at most 8192 characters, this one has ${text.length}`,
  }]);
  assert(performance.now() - started < 500);
  const longest = `identity.id == '${"x".repeat(TEXT_MAX - 17)}'`;
  assertEquals([longest.length, problemsOf(longest)], [TEXT_MAX, []]);
});

const DEEP = {
  brackets: `${"(".repeat(4000)}true${")".repeat(4000)}`,
  lists: `${"[".repeat(4000)}${"]".repeat(4000)} == []`,
  fields: `identity.claims${".a".repeat(4000)} == 1`,
  sums: `${"1+".repeat(4000)}1 == 1`,
  choices: `${"true?true:".repeat(700)}true`,
  calls: `${"dyn(".repeat(150)}true${")".repeat(150)}`,
};

for (const [name, text] of Object.entries(DEEP)) {
  Deno.test(`compileRule() refuses ${name} in one another that are nested too deeply`, () => {
    const started = performance.now();
    const message = `it is nested deeper than ${DEPTH_MAX} levels`;
    assertEquals(compileRule(text).problems, [{ offset: 0, length: text.length, message }]);
    assert(performance.now() - started < 500);
  });
}

Deno.test("compileRule() takes a long row of alternatives", () => {
  const names = Array.from({ length: 250 }, (_, index) => `identity.username == 'u${index}'`);
  assertEquals(evaluate(names.join(" || "), { identity: { username: "u249" } }), true);
});

Deno.test("compileRule() refuses macros in one another deeper than two levels", () => {
  const text = "request.tags.all(a, request.tags.all(b, request.tags.all(c, a == b)))";
  assertEquals(problemsOf(text), [["all", "macros stand in one another deeper than 2 levels"]]);
  assertEquals(compileRule(text).problems[0]?.offset, 53);
  const inRow = "request.tags.filter(a, true).filter(b, true).filter(c, true).all(d, true)";
  assertEquals(problemsOf(inRow), []);
});

/** Rules that would take hours or all memory, for somebody in many groups. */
const COSTLY = {
  "loops in loops": "identity.groups.all(a, identity.groups.all(b, a != '' && b != ''))",
  "sums in loops": "identity.groups.all(a, identity.groups.all(b, a + b != 'x'))",
  "a loop that is not stopped by an error":
    "identity.groups.exists(a, identity.groups.exists(b, a == b + 'x')) || true",
  "texts that double": `['x']${".map(a, a + a)".repeat(40)} == []`,
  "lists that double": `[['x']]${".map(a, a + a)".repeat(40)} == []`,
  "bytes that double": `[b'x']${".map(a, a + a)".repeat(40)} == []`,
  "searches in loops": "identity.groups.all(a, a in identity.groups)",
  "lists that are copied in loops": "identity.groups.map(a, a).size() == 1",
  "a pattern of many states": `('${"a".repeat(4000)}').matches('.{0,1000}$')`,
  "patterns in loops": `identity.groups.all(a, (a + '${"a".repeat(4000)}').matches('(a|aa)+$'))`,
};

for (const [name, text] of Object.entries(COSTLY)) {
  Deno.test(`a rule is stopped that takes too many steps: ${name}`, () => {
    const groups = Array.from({ length: 3000 }, (_, index) => `group${index}`);
    const started = performance.now();
    assertEquals(evaluate(text, { identity: { groups } }), { error: "takes more than 1000000 steps" });
    assert(performance.now() - started < 2000);
  });
}

Deno.test("a rule that was stopped takes nothing from the next", () => {
  const groups = Array.from({ length: 3000 }, (_, index) => `group${index}`);
  evaluate(COSTLY["loops in loops"], { identity: { groups } });
  assertEquals(evaluate("identity.groups.exists(a, a == 'group2999')", { identity: { groups } }), true);
});

Deno.test("matches() is linear where a backtracking engine is not", () => {
  const text = "identity.username.matches('^(a+)+$') || identity.username.matches('^(a|a)*$')";
  const started = performance.now();
  assertEquals(evaluate(text, { identity: { username: `${"a".repeat(20_000)}!` } }), false);
  assert(performance.now() - started < 500);
});

Deno.test("compileRule() throws for no text, and points into each that it refuses", () => {
  const piece = fc.constantFrom(
    ...[
      "identity",
      ".",
      "username",
      "request",
      "action",
      "(",
      ")",
      "[",
      "]",
      "{",
      "}",
      "'x'",
      "==",
      "&&",
      "||",
      "!",
      "?",
    ],
    ...[
      ":",
      "in",
      " ",
      "exists",
      "g",
      ",",
      "1",
      "null",
      "has",
      "-",
      "matches",
      "\n",
      "//",
      "'",
      '"',
      "é",
      "😀",
      "\0",
    ],
  );
  const text = fc.oneof(fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join("")), fc.string());
  fc.assert(
    fc.property(text, (rule) => {
      for (const { offset, length, message } of compileRule(rule).problems) {
        assert(
          offset >= 0 && length >= 0 && offset + length <= rule.length,
          `${offset}+${length} of ${rule}`,
        );
        assert(message.length > 0);
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("what a rule says ahead holds for every request that follows", () => {
  const atom = fc.constantFrom(
    ...[
      "request.reference == 'v1'",
      "request.reference.startsWith('v')",
      "has(request.digest)",
      "'v1' in request.tags",
    ],
    ...[
      "identity.username == 'bob'",
      "identity.username.startsWith('b')",
      "request.tags.all(t, t != 'v2')",
      "true",
    ],
  );
  const { rule } = fc.letrec<{ rule: string }>((tie) => ({
    rule: fc.oneof(
      { maxDepth: 4 },
      atom,
      fc.tuple(tie("rule"), fc.constantFrom("&&", "||"), tie("rule")).map(([a, mark, b]) =>
        `(${a} ${mark} ${b})`
      ),
      tie("rule").map((a) => `!(${a})`),
      fc.tuple(tie("rule"), tie("rule"), tie("rule")).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    ),
  }));
  const request = fc.record({
    reference: fc.constantFrom(null, "v1", "v2", "x"),
    digest: fc.constantFrom(null, "sha256:00"),
    tags: fc.subarray(["v1", "v2"]),
    identity: fc.constantFrom({ ...ANONYMOUS }, { ...ANONYMOUS, username: "bob" }),
  });
  fc.assert(
    fc.property(rule, request, (text, parts) => {
      const ahead = evaluate(text, { ...parts, ahead: true });
      if (ahead !== "unknown") assertEquals(ahead, evaluate(text, parts));
    }),
    { numRuns: 3000 },
  );
});
