/** CEL's official conformance data, run with what rules are run with. */

import {
  celEnv,
  celUint,
  isCelError,
  isCelList,
  isCelMap,
  isCelType,
  isCelUint,
  parse,
  plan,
} from "@bufbuild/cel";
import type { SimpleTest } from "@bufbuild/cel-spec/cel/expr/conformance/test/simple_pb.js";
import type { Value } from "@bufbuild/cel-spec/cel/expr/value_pb.js";
import { getTestRegistry } from "@bufbuild/cel-spec/testdata/registry.js";
import { getConformanceSuite, type IncrementalTestSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { toJson } from "@bufbuild/protobuf";
import { isReflectMessage } from "@bufbuild/protobuf/reflect";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { isDeepStrictEqual } from "node:util";
import { ENVIRONMENT_OPTIONS } from "../../../plugins/policy/cel/environment.ts";

/** What came of a suite. */
export interface SuiteOutcome {
  readonly passed: number;
  /** The names of those that failed: `section/test`. */
  readonly failed: readonly string[];
  /** How many only say what a type checker deduces. */
  readonly checkOnly: number;
}

const registry = getTestRegistry();

/** Runs every suite, by its name. */
export function runConformance(): Map<string, SuiteOutcome> {
  return new Map(getConformanceSuite().suites.map((suite) => [suite.name, runSuite(suite)]));
}

function runSuite(suite: IncrementalTestSuite): SuiteOutcome {
  const all = [...named(suite, "")];
  const run = all.filter(({ test }) => !test.checkOnly);
  const failed = run.filter(({ test }) => !passes(test)).map(({ name }) => name);
  return { passed: run.length - failed.length, failed, checkOnly: all.length - run.length };
}

function* named(suite: IncrementalTestSuite, path: string): Generator<{ name: string; test: SimpleTest }> {
  for (const { name, original } of suite.tests) yield { name: path + name, test: original };
  for (const inner of suite.suites) yield* named(inner, `${path}${inner.name}/`);
}

function passes(test: SimpleTest): boolean {
  const { resultMatcher: matcher } = test;
  const result = evaluate(test);
  switch (matcher.case) {
    case "evalError":
    case "anyEvalErrors":
      return isCelError(result);
    case "value":
      return isSame(result, valueOf(matcher.value));
    case "typedResult":
      return matcher.value.result !== undefined && isSame(result, valueOf(matcher.value.result));
    case undefined:
      return result === true;
    default:
      return false;
  }
}

function evaluate({ expr, container, bindings }: SimpleTest): unknown {
  const env = celEnv({ ...ENVIRONMENT_OPTIONS, registry, namespace: container });
  const values = Object.entries(bindings).map(([name, { kind }]) => [
    name,
    kind.case === "value" ? valueOf(kind.value) : undefined,
  ]);
  try {
    return plan(env, parse(expr))(Object.fromEntries(values));
  } catch (error) {
    return error;
  }
}

const asCel = plan(celEnv({ registry }), parse("x"));

function valueOf({ kind }: Value): unknown {
  switch (kind.case) {
    case "nullValue":
      return null;
    case "uint64Value":
      return celUint(kind.value);
    case "enumValue":
      return BigInt(kind.value.value);
    case "objectValue":
      return asCel({ x: anyUnpack(kind.value, registry)! });
    case "mapValue":
      return asCel({
        x: new Map(kind.value.entries.map(({ key, value }) => [valueOf(key!), valueOf(value!)])) as never,
      });
    case "listValue":
      return asCel({ x: kind.value.values.map(valueOf) as never });
    case "typeValue":
      return { type: kind.value };
    default:
      return kind.value;
  }
}

function isSame(found: unknown, expected: unknown): boolean {
  return !isCelError(found) && isDeepStrictEqual(plain(found), plain(expected));
}

/** A value as plain data, with its type wherever JavaScript does not tell it. */
function plain(value: unknown): unknown {
  if (isCelUint(value)) return { uint: value.value };
  if (isCelList(value)) return [...value].map(plain);
  if (isCelMap(value)) {
    const entries = [...value].map(([key, item]) => [plain(key), plain(item)]);
    return { map: entries.sort(([a], [b]) => String(a) < String(b) ? -1 : 1) };
  }
  if (isReflectMessage(value)) {
    return { message: value.desc.typeName, json: toJson(value.desc, value.message, { registry }) };
  }
  return isCelType(value) ? { type: value.name } : value;
}
