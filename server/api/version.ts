import { jsonAnswer } from "./answer.ts";

/** `GET /v2/`: that this is a registry (distribution-spec, "Determining Support"). */
export function get(): Promise<Response> {
  return Promise.resolve(jsonAnswer({}));
}
