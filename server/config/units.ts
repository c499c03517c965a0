const DURATION_UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const SIZE_UNITS_BYTES = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;

const DURATION = /^(?:[0-9]+(?:ms|s|m|h|d|w))+$/;
const DURATION_PART = /([0-9]+)(ms|s|m|h|d|w)/g;
const SIZE = /^([0-9]+)([KMGT]?B|[KMGT]iB)$/;

/** Milliseconds of a duration such as `500ms`, `24h` or `1h30m`, or `undefined`. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(DURATION_PART)) {
    sum += Number(count) * DURATION_UNITS_MS[unit as keyof typeof DURATION_UNITS_MS];
  }
  return Number.isSafeInteger(sum) ? sum : undefined;
}

/** Bytes of a size such as `64KiB`, `10GB` or `0B`, or `undefined`. */
export function parseSize(text: string): number | undefined {
  const [, count, unit] = SIZE.exec(text) ?? [];
  if (unit === undefined) return undefined;
  const bytes = Number(count) * SIZE_UNITS_BYTES[unit as keyof typeof SIZE_UNITS_BYTES];
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
