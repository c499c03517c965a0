import { generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { assertEquals } from "../../../tests/support/assert.ts";
import { TokenRefusal } from "./claims.ts";
import { readIssuer, verifyToken } from "./token.ts";

const ISSUER = "https://id.example";
const NOW_S = 1_800_000_000;
const SKEW_S = 60;
const { privateKey, publicKey } = await generateKeyPair("ES256");

/** What becomes of a token with these claims, at half a second past `NOW_S`. */
async function verify(claims: JWTPayload): Promise<string> {
  const token = await new SignJWT({ iss: ISSUER, aud: "registry", ...claims })
    .setProtectedHeader({ alg: "ES256" }).sign(privateKey);
  const rules = {
    issuer: ISSUER,
    audience: ["registry"],
    clockSkewMs: SKEW_S * 1_000,
    algorithms: ["ES256"],
  };
  const keys = { find: () => Promise.resolve([publicKey]) };
  return await verifyToken(token, { rules, keys, nowMs: NOW_S * 1_000 + 500 }).then(
    () => "good",
    (error) => error instanceof TokenRefusal ? error.message : `threw ${error}`,
  );
}

const EDGES: readonly (readonly [what: string, claims: JWTPayload, outcome: string])[] = [
  ["exp is the skew ago", { exp: NOW_S - SKEW_S }, "it expired at 2027-01-15T07:59:00.000Z"],
  ["exp is a second less than the skew ago", { exp: NOW_S - SKEW_S + 1 }, "good"],
  ["nbf is as far ahead as the skew", { exp: NOW_S + 300, nbf: NOW_S + SKEW_S }, "good"],
  [
    "nbf is a second further ahead than the skew",
    { exp: NOW_S + 300, nbf: NOW_S + SKEW_S + 1 },
    "it is not valid before 2027-01-15T08:01:01.000Z",
  ],
  ["iat is as far ahead as the skew", { exp: NOW_S + 300, iat: NOW_S + SKEW_S }, "good"],
  [
    "iat is a second further ahead than the skew",
    { exp: NOW_S + 300, iat: NOW_S + SKEW_S + 1 },
    "it was issued at 2027-01-15T08:01:01.000Z, in the future",
  ],
  ["exp is further away than dates go", { exp: 1e300 }, "good"],
  ["exp is before 1970", { exp: -1 }, "it expired at 1969-12-31T23:59:59.000Z"],
];

for (const [what, claims, outcome] of EDGES) {
  Deno.test(`verifyToken() finds a token whose ${what}: ${outcome}`, async () => {
    assertEquals(await verify(claims), outcome);
  });
}

Deno.test("readIssuer() reads what a token names, and nothing of what is no token", async () => {
  const token = await new SignJWT({ iss: ISSUER }).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
  assertEquals(readIssuer(token), ISSUER);
  assertEquals(readIssuer(token.slice(0, token.lastIndexOf(".") + 1)), ISSUER);
  for (
    const text of [
      "",
      "a.b.c",
      "..",
      `${token}.`,
      `${token}=`,
      `Bearer ${token}`,
      `${token}\n`,
      "e30.e30.e30",
    ]
  ) {
    assertEquals(readIssuer(text), undefined);
  }
});
