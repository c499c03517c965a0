/** Where the keys come from, and when they are asked for again. */

import { readProfile } from "./credentials_file.ts";
import type { CredentialSettings } from "./credential_settings.ts";
import type { Credentials } from "./signing.ts";
import { assumeRole, type Post } from "./web_identity.ts";

/** Keys that end. */
export interface LentCredentials extends Credentials {
  /** When they end, by our clock: milliseconds since the epoch. */
  readonly endsAtMs: number;
}

/** What has the keys. */
export interface CredentialSource {
  /** The keys to sign with now. */
  get(): Promise<Credentials>;
  /** The store does not accept `refused` any more. Answers whether there may be others. */
  renew(refused: Credentials): boolean;
}

/** Keys are asked for again so long before they end. */
const EARLY_MS = 5 * 60_000;
/** A file may have been replaced by now: what it says is looked up again. */
const FILE_MS = 30_000;

/** What has the keys of these settings. `post` asks the service that lends them. */
export function createCredentials(settings: CredentialSettings, post: Post): CredentialSource {
  switch (settings.from) {
    case "static": {
      const { accessKeyId, secretKey, sessionToken } = settings;
      const credentials = { accessKeyId, secretKey, ...(sessionToken !== undefined && { sessionToken }) };
      return { get: () => Promise.resolve(credentials), renew: () => false };
    }
    case "file":
      return new KeptCredentials(
        async () => ({ ...await readProfile(settings), endsAtMs: Date.now() + FILE_MS }),
        0,
      );
    case "web-identity":
      return new KeptCredentials(() => assumeRole(settings, post), EARLY_MS);
  }
}

/** Keys that are fetched when they are due, by one of those who need them; the others wait for it, or go on with those that still hold. */
class KeptCredentials implements CredentialSource {
  readonly #fetch: () => Promise<LentCredentials>;
  readonly #earlyMs: number;
  #current: LentCredentials | undefined;
  #fetching: Promise<LentCredentials> | undefined;

  constructor(fetch: () => Promise<LentCredentials>, earlyMs: number) {
    this.#fetch = fetch;
    this.#earlyMs = earlyMs;
  }

  async get(): Promise<Credentials> {
    const current = this.#current;
    const leftMs = (current?.endsAtMs ?? 0) - Date.now();
    if (current && leftMs > this.#earlyMs) return current;
    const fetched = this.#fetchOnce();
    if (!current || leftMs <= 0) return await fetched;
    // What still holds is used while others are fetched, and when they cannot be.
    fetched.catch(() => {});
    return current;
  }

  renew(refused: Credentials): boolean {
    if (this.#current === refused) this.#current = undefined;
    return true;
  }

  #fetchOnce(): Promise<LentCredentials> {
    this.#fetching ??= this.#fetch().then((fetched) => this.#current = fetched).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }
}
