/** Lets operations over one store meet in every order that matters, one call to the store at a time. */

import { setImmediate } from "node:timers";
import { type Storage, STORAGE_VERBS } from "../../plugins/contract/storage.ts";

/** One of those that meet: what it does over its own view of the store. */
export type Actor = (storage: Storage) => Promise<unknown>;

/** Who makes the next call: the index of one of the actors that wait to. */
export type Schedule = (waiting: readonly number[]) => number;

/** Runs the actors together over `storage`; `schedule` says whose call is next. Answers what became of each. */
export async function interleave(
  storage: Storage,
  actors: readonly Actor[],
  schedule: Schedule,
): Promise<PromiseSettledResult<unknown>[]> {
  const queues: (() => Promise<void>)[][] = actors.map(() => []);
  let running = actors.length;
  const results = actors.map((actor, index) =>
    actor(gate(storage, queues[index]!)).finally(() => {
      running--;
    })
  );
  const settled = Promise.allSettled(results);
  while (running > 0) {
    await turnOfTheLoop();
    const waiting = queues.flatMap((queue, index) => queue.length > 0 ? [index] : []);
    if (waiting.length > 0) await queues[schedule(waiting)]!.shift()!();
  }
  return await settled;
}

/** Schedules in which the first actor makes so many calls, then the second so many, then the first its last, and so on. */
export function* twoSwitches(callsMax: number): Generator<Schedule> {
  for (const first of [0, 1]) {
    for (let before = 0; before < callsMax; before++) {
      for (let between = 1; between < callsMax; between++) yield runs([first, 1 - first], before, between);
    }
  }
}

/** Schedules by chance, each from its seed; the one who made a call makes the next one more often than not. */
export function randomSchedule(seed: number): Schedule {
  let state = seed >>> 0 || 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  let last = 0;
  return (waiting) => {
    if (!waiting.includes(last) || random() < 0.25) last = waiting[Math.floor(random() * waiting.length)]!;
    return last;
  };
}

function runs([first, second]: readonly number[], before: number, between: number): Schedule {
  let calls = 0;
  return (waiting) => {
    const wanted = calls < before || calls >= before + between ? first! : second!;
    calls++;
    return waiting.includes(wanted) ? wanted : waiting[0]!;
  };
}

/** The store, each call to which waits for its turn. */
function gate(storage: Storage, queue: (() => Promise<void>)[]): Storage {
  const calls = STORAGE_VERBS.map((method) => {
    const call = storage[method].bind(storage) as (...args: unknown[]) => Promise<unknown>;
    const gated = (...args: unknown[]) => {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      queue.push(async () => {
        const answer = call(...args);
        resolve(answer);
        await answer.catch(() => {});
      });
      return promise;
    };
    return [method, gated];
  });
  return Object.fromEntries(calls) as unknown as Storage;
}

/** Until all that can go on without the store has gone on. */
function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
