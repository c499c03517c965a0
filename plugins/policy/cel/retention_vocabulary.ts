import { celEnv, celFunc, celList, CelScalar, listType, objectType } from "@bufbuild/cel";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { RetentionImage, RetentionQuestion } from "@sreg/contract/retention.ts";
import { ENVIRONMENT_OPTIONS } from "./environment.ts";
import { INT, listOf, recordOf, STRING, TIMESTAMP } from "./shapes.ts";
import { type Bindings, timestampOf } from "./variables.ts";
import type { Vocabulary } from "./vocabulary.ts";

const VARIABLES: Vocabulary["variables"] = {
  image: recordOf("image", {
    tag: STRING,
    pushed_at: TIMESTAMP,
    last_pulled_at: TIMESTAMP,
    size: INT,
    media_type: STRING,
  }),
  last_pushed: listOf(STRING),
  last_pulled: listOf(STRING),
};

const TIMESTAMP_TYPE = objectType(TimestampSchema);
const DURATION_TYPE = objectType(DurationSchema);
const HOUR_S = 3_600n;

/** What rules of retention can say; `clock` tells what `now()` is. */
export function retentionVocabulary(clock: () => number): Vocabulary {
  const placesOf = createPlaces();
  const environment = celEnv({
    ...ENVIRONMENT_OPTIONS,
    funcs: [
      ...ENVIRONMENT_OPTIONS.funcs,
      celFunc("now", [], TIMESTAMP_TYPE, () => timestampOf(clock()) as never),
      celFunc("hours", [CelScalar.INT], DURATION_TYPE, (hours) => durationOf("hours", hours, HOUR_S)),
      celFunc("days", [CelScalar.INT], DURATION_TYPE, (days) => durationOf("days", days, 24n * HOUR_S)),
      celFunc("top", [CelScalar.STRING, LIST, CelScalar.INT], CelScalar.BOOL, (value, list, count) => {
        if (count < 0n) throw new Error(`top(…, ${count}): expected a number from 0`);
        const place = placesOf(list).get(value);
        return place !== undefined && BigInt(place) < count;
      }),
    ],
  });
  return { variables: VARIABLES, environment, unknownIsNull: false };
}

const LIST = listType(CelScalar.DYN);

/** A time to come instead of one that has passed would keep nothing: it is a mistake. */
function durationOf(name: string, count: bigint, seconds: bigint): never {
  if (count < 0n) throw new Error(`${name}(${count}): expected a number from 0`);
  return { $typeName: "google.protobuf.Duration", seconds: count * seconds, nanos: 0 } as never;
}

type Places = ReadonlyMap<unknown, number>;

/** Where each item of a list first stands; looked up once for the many images that are asked about one list. */
function createPlaces(): (list: Iterable<unknown> & object) => Places {
  const known = new WeakMap<object, Places>();
  return (list) => {
    let places = known.get(list);
    if (!places) {
      const items = [...list];
      places = new Map(items.map((item, index) => [item, index] as const).reverse());
      known.set(list, places);
    }
    return places;
  };
}

/** What the rules know of an image. */
export type BindImage = (image: RetentionImage) => Bindings;

/** Binds the images of a question; what is not known of one is missing. */
export function bindImages({ lastPushed, lastPulled }: RetentionQuestion): BindImage {
  const lists = { last_pushed: celList(lastPushed), last_pulled: celList(lastPulled) };
  return ({ tag, size, mediaType, pushedAtMs, lastPulledAtMs }) =>
    Object.assign(Object.create(null), {
      ...lists,
      image: new Map<string, unknown>([
        ["tag", tag],
        ["size", BigInt(size)],
        ["media_type", mediaType],
        ...(pushedAtMs === null ? [] : [["pushed_at", timestampOf(pushedAtMs)] as const]),
        ...(lastPulledAtMs === null ? [] : [["last_pulled_at", timestampOf(lastPulledAtMs)] as const]),
      ]),
    });
}
