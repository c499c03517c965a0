import { assert, assertEquals, assertThrows } from "../../tests/support/assert.ts";
import { parseClientCertificate } from "./client_certificate.ts";
import { expectDer, formatOid, parseDer, parseDerText } from "./der.ts";

const NOW = new Date("2026-06-01T00:00:00Z");

function der(tag: number, ...contents: (Uint8Array | number[])[]): Uint8Array {
  const content = contents.flatMap((part) => [...part]);
  const length = content.length < 128 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
  return new Uint8Array([tag, ...length, ...content]);
}

const ascii = (text: string) => [...new TextEncoder().encode(text)];
const EMPTY = der(0x30);
const CN = [0x55, 4, 3];
const CLIENT_AUTH = der(0x30, der(0x06, [0x2b, 6, 1, 5, 5, 7, 3, 2]));

interface Parts {
  readonly version?: Uint8Array;
  readonly validity?: readonly string[];
  readonly subject?: readonly Uint8Array[];
  readonly extensions?: readonly Uint8Array[];
}

function extension(number: number, value: Uint8Array): Uint8Array {
  return der(0x30, der(0x06, [0x55, 29, number]), der(0x04, value));
}

function attribute(oid: number[], value: Uint8Array): Uint8Array {
  return der(0x30, der(0x06, oid), value);
}

const GOOD = {
  version: der(0xa0, der(2, [2])),
  validity: ["260101000000Z", "20261231235959Z"],
  subject: [der(0x31, attribute(CN, der(0x0c, ascii("a"))))],
  extensions: [extension(37, CLIENT_AUTH)],
};

function certificate(parts: Parts): Uint8Array {
  const { version, validity, subject, extensions } = { ...GOOD, ...parts };
  const times = validity.map((time) => der(time.length === 13 ? 0x17 : 0x18, ascii(time)));
  const signed = der(
    0x30,
    ...[version, der(2, [1]), EMPTY, EMPTY, der(0x30, ...times), der(0x30, ...subject), EMPTY],
    der(0xa3, der(0x30, ...extensions)),
  );
  return der(0x30, signed, EMPTY, der(3, [0]));
}

Deno.test("parseClientCertificate() reads names of every string type, and several in one set", () => {
  const bmp = attribute(CN, der(0x1e, [0x26, 0x03]));
  const printable = attribute(CN, der(0x13, ascii("p")));
  const organization = attribute([0x55, 4, 10], der(0x0c, ascii("o\u0000é")));
  const { commonNames, organizations } = parseClientCertificate(
    certificate({ subject: [der(0x31, bmp, printable), der(0x31, organization)] }),
    NOW,
  );
  assertEquals([commonNames, organizations], [["☃", "p"], ["o\u0000é"]]);
});

const refused: readonly (readonly [string, Parts, RegExp])[] = [
  ["of version 1", { version: EMPTY.subarray(2) }, /not of version 3/],
  ["of version 2", { version: der(0xa0, der(2, [1])) }, /not of version 3/],
  ["that begins tomorrow", { validity: ["260602000000Z", "270101000000Z"] }, /not yet valid/],
  ["that ended a second ago", { validity: ["250101000000Z", "260531235959Z"] }, /expired/],
  ["of the last century", { validity: ["500101000000Z", "990101000000Z"] }, /expired/],
  ["without an end", { validity: ["250101000000Z"] }, /does not say when/],
  ["with an end that is no time", { validity: ["250101000000Z", "269901000000Z"] }, /expired/],
  ["with an end in another zone", { validity: ["250101000000Z", "2701010000+0100"] }, /expired/],
  ["of a CA", { extensions: [...GOOD.extensions, extension(19, der(0x30, der(1, [0xff])))] }, /a CA's/],
  ["without an extended key usage", { extensions: [] }, /not clientAuth/],
  [
    "for another use",
    { extensions: [extension(37, der(0x30, der(6, [0x2b, 6, 1, 5, 5, 7, 3, 1])))] },
    /not clientAuth/,
  ],
  [
    "that may not sign",
    { extensions: [...GOOD.extensions, extension(15, der(3, [3, 0x08]))] },
    /digitalSignature/,
  ],
  ["with text that is no UTF-8", { subject: [der(0x31, attribute(CN, der(0x0c, [0xff])))] }, /./],
  ["with a name that is not ASCII", {
    extensions: [...GOOD.extensions, extension(17, der(0x30, der(0x82, [0xc3, 0xa9])))],
  }, /not ASCII/],
  ["with an attribute without a value", { subject: [der(0x31, der(0x30, der(6, CN)))] }, /without a value/],
];

for (const [what, parts, message] of refused) {
  Deno.test(`parseClientCertificate() refuses one ${what}`, () => {
    assertThrows(() => parseClientCertificate(certificate(parts), NOW), message);
  });
}

Deno.test("parseClientCertificate() takes a certificate to the second of its end", () => {
  const ends = certificate({ validity: ["20260101000000Z", "260601000000Z"] });
  assertEquals(parseClientCertificate(ends, NOW).commonNames, ["a"]);
});

Deno.test("parseClientCertificate() refuses a certificate that is cut off anywhere, and never hangs on one that is changed", () => {
  const whole = certificate({});
  for (let length = 0; length < whole.length; length++) {
    assertThrows(() => parseClientCertificate(whole.subarray(0, length), NOW));
  }
  for (let index = 0; index < whole.length; index++) {
    for (const octet of [0, 0x80, 0xff]) {
      const changed = whole.slice();
      changed[index] = octet;
      attempt(() => parseClientCertificate(changed, NOW));
    }
  }
});

function attempt(parse: () => unknown): void {
  try {
    assert(typeof parse() === "object");
  } catch (error) {
    assert(
      error instanceof SyntaxError || error instanceof TypeError ||
        /^Cannot take/.test((error as Error).message),
    );
  }
}

for (
  const text of [
    "",
    "30",
    "3080",
    "30850000000001",
    "1f0100",
    "0500ff",
    "30020500ff",
    "300305",
    "30847fffffff",
  ]
) {
  Deno.test(`parseDer() refuses ${text === "" ? "nothing" : text}`, () => {
    assertThrows(
      () => parseDer(Uint8Array.fromHex(text)),
      SyntaxError,
    );
  });
}

Deno.test("expectDer() refuses another tag, and what is not there", () => {
  assertThrows(() => expectDer({ tag: 0x31, content: new Uint8Array() }, 0x30), SyntaxError);
  assertThrows(() => expectDer(undefined, 0x30), SyntaxError);
});

Deno.test("formatOid() writes each of the first numbers, and long ones", () => {
  const oids = [[0x2b, 6, 1], [0x55, 4, 3], [0x09, 0x92, 0x26], [0x88, 0x37, 3], [0x00]];
  assertEquals(oids.map((oid) => formatOid(new Uint8Array(oid))), [
    "1.3.6.1",
    "2.5.4.3",
    "0.9.2342",
    "2.999.3",
    "0.0",
  ]);
});

Deno.test("parseDerText() keeps a byte order mark as it is", () => {
  assertEquals(parseDerText({ tag: 0x0c, content: new Uint8Array([0xef, 0xbb, 0xbf, 0x61]) }), "\ufeffa");
});
