/** How far rules keep to the language's specification (cel-spec v0.25.1), to the single case. */

import { run } from "@bufbuild/cel";
import { getConformanceSuite, type IncrementalTestSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { compileRule } from "../../../plugins/policy/cel/rule.ts";
import { assertEquals } from "../../support/assert.ts";
import { runConformance } from "./conformance.ts";

/** The suites that hold for rules, with how many cases pass. */
const SUITES = {
  basic: 43,
  comparisons: 406,
  conversions: 109,
  dynamic: 226,
  enums: 67,
  fields: 53,
  fp_math: 30,
  integer_math: 64,
  lists: 39,
  logic: 30,
  macros: 44,
  namespace: 3,
  parse: 219,
  plumbing: 5,
  proto2: 88,
  proto3: 73,
  string: 51,
  timestamps: 76,
  type_deductions: 22,
  unknowns: 0,
  wrappers: 36,
} as const;

/** The cases of these suites that fail, by the reason. */
const EXCLUSIONS = {
  "enums are ints, which the specification leaves open: rules know no enums": {
    enums: [
      "strong_proto2/type_global",
      "strong_proto2/type_nested",
      "strong_proto2/field_type",
      "strong_proto2/assign_standalone_int",
      "strong_proto2/convert_int_inrange",
      "strong_proto2/convert_int_big",
      "strong_proto2/convert_int_neg",
      "strong_proto2/convert_string",
      "strong_proto3/type_global",
      "strong_proto3/type_nested",
      "strong_proto3/field_type",
      "strong_proto3/assign_standalone_int",
      "strong_proto3/assign_standalone_int_big",
      "strong_proto3/assign_standalone_int_neg",
      "strong_proto3/convert_int_inrange",
      "strong_proto3/convert_int_big",
      "strong_proto3/convert_int_neg",
      "strong_proto3/convert_string",
    ],
  },
  "fields in back quotes are a syntax error: claims['a-b'] says the same": {
    fields: [
      "quoted_map_fields/field_access_slash",
      "quoted_map_fields/field_access_dash",
      "quoted_map_fields/field_access_dot",
      "quoted_map_fields/has_field_slash",
      "quoted_map_fields/has_field_dash",
      "quoted_map_fields/has_field_dot",
    ],
    proto2: ["quoted_fields/set_field_with_quoted_name", "quoted_fields/get_field_with_quoted_name"],
    proto3: ["quoted_fields/set_field", "quoted_fields/get_field"],
  },
  "a map literal with the keys 0 and 0u is no error": {
    fields: ["qualified_identifier_resolution/map_value_repeat_key_heterogeneous"],
  },
  "extensions of protobuf messages: rules know no messages": {
    proto2: [
      "extensions_has/package_scoped_int32",
      "extensions_has/package_scoped_nested_ext",
      "extensions_has/package_scoped_test_all_types_ext",
      "extensions_has/package_scoped_test_all_types_nested_enum_ext",
      "extensions_has/package_scoped_repeated_test_all_types",
      "extensions_has/message_scoped_int64",
      "extensions_has/message_scoped_nested_ext",
      "extensions_has/message_scoped_nested_enum_ext",
      "extensions_has/message_scoped_repeated_test_all_types",
      "extensions_get/package_scoped_int32",
      "extensions_get/package_scoped_nested_ext",
      "extensions_get/package_scoped_test_all_types_ext",
      "extensions_get/package_scoped_test_all_types_nested_enum_ext",
      "extensions_get/package_scoped_repeated_test_all_types",
      "extensions_get/message_scoped_int64",
      "extensions_get/message_scoped_nested_ext",
      "extensions_get/message_scoped_nested_enum_ext",
      "extensions_get/message_scoped_repeated_test_all_types",
    ],
  },
} as const satisfies Record<string, Partial<Record<keyof typeof SUITES, readonly string[]>>>;

/**
 * Suites of extensions of the language, which rules do not have. Cases pass by expecting an error, or by using standard
 * functions only.
 */
const EXTENSIONS = {
  bindings_ext: { passed: 0, failed: 5 },
  block_ext: { passed: 0, failed: 37 },
  encoders_ext: { passed: 0, failed: 4 },
  macros2: { passed: 8, failed: 38 },
  math_ext: { passed: 17, failed: 182 },
  optionals: { passed: 1, failed: 69 },
  proto2_ext: { passed: 0, failed: 18 },
  string_ext: { passed: 53, failed: 156 },
};

const outcomes = runConformance();

Deno.test("the conformance data has no suite that is not spoken of here", () => {
  assertEquals([...outcomes.keys()].sort(), [...Object.keys(SUITES), ...Object.keys(EXTENSIONS)].sort());
});

for (const [suite, passed] of Object.entries(SUITES)) {
  Deno.test(`rules pass ${passed} cases of CEL's suite ${suite}, all but those that are excluded`, () => {
    const excluded = Object.values(EXCLUSIONS).flatMap((suites: Record<string, readonly string[]>) =>
      suites[suite] ?? []
    );
    const outcome = outcomes.get(suite)!;
    assertEquals({ passed: outcome.passed, failed: [...outcome.failed].sort() }, {
      passed,
      failed: excluded.sort(),
    });
  });
}

for (const [suite, { passed, failed }] of Object.entries(EXTENSIONS)) {
  Deno.test(`rules have nothing of CEL's extension suite ${suite}`, () => {
    const outcome = outcomes.get(suite)!;
    assertEquals({ passed: outcome.passed, failed: outcome.failed.length }, { passed, failed });
  });
}

Deno.test("the conformance data has 25 cases that are about a type checker alone", () => {
  const checkOnly = [...outcomes].filter(([, outcome]) => outcome.checkOnly > 0);
  assertEquals(checkOnly.map(([suite, outcome]) => [suite, outcome.checkOnly]), [["type_deductions", 25]]);
});

/** Expressions that come to a bool, but that are refused as rules, by why. */
const REFUSED = [
  ["unknown type", 33],
  ["unknown function", 18],
  ["unknown variable", 3],
  ["expected a bool", 4],
  ["a string never equals", 2],
] as const;

Deno.test("485 of 545 expressions that come to a bool are good rules, the others name or mix up what there is not", () => {
  const expressions = [...closedExpressions(getConformanceSuite())].filter((text) =>
    typeof run(text) === "boolean"
  );
  const messages = expressions.flatMap((text) =>
    compileRule(text).problems.slice(0, 1).map(({ message }) => message)
  );
  const counts = REFUSED.map((
    [start],
  ) => [start, messages.filter((message) => message.startsWith(start)).length]);
  assertEquals({ all: expressions.length, refused: messages.length, counts }, {
    all: 545,
    refused: 60,
    counts: REFUSED.map((entry) => [...entry]),
  });
});

/** Those that need no variables from outside. */
function* closedExpressions(suite: IncrementalTestSuite): Generator<string> {
  for (const { original: { expr, checkOnly, container, bindings } } of suite.tests) {
    if (!checkOnly && container === "" && Object.keys(bindings).length === 0) yield expr;
  }
  for (const inner of suite.suites) yield* closedExpressions(inner);
}
