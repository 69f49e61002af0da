// The verification of the inner token.
import { createRemoteJWKSet, jwtVerify } from "jose";

const { ISSUER: issuer, AUDIENCE: audience } = process.env;
const url = process.env.JWKS_URL || `${issuer}/.well-known/sallyport-gateway/jwks.json`;
const keys = createRemoteJWKSet(new URL(url), { cooldownDuration: 30_000, cacheMaxAge: 300_000 });
const requiredClaims = ["iss", "aud", "sub", "client_id", "iat", "exp", "jti"];

// spelt is value as the gateway writes it: JSON without spaces or needless escapes, in base64url.
function spelt(value) {
  const json = JSON.stringify(value);
  if (/\\ud[89a-f]/.test(json)) throw new Error("half of a surrogate pair");
  return Buffer.from(json).toString("base64url");
}

export async function inner(token) {
  if (typeof token !== "string" || token.length > 8192) throw new Error("no token, or too long");
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer, audience, algorithms: ["EdDSA"], typ: "sallyport-inner+jwt", requiredClaims, maxTokenAge: 60, clockTolerance: 10,
  });
  // jose reads JSON and base64url as generously as JavaScript does. The gateway spells both in one way: so do we.
  const { kid } = protectedHeader;
  const signature = Buffer.from(token.split(".")[2], "base64url").toString("base64url");
  const expected = `${spelt({ alg: "EdDSA", kid, typ: "sallyport-inner+jwt" })}.${spelt(payload)}.${signature}`;
  if (!kid || token !== expected) throw new Error("not as the gateway spells it");
  // jose takes an audience among others, any lifetime, and claims of any type.
  if (payload.aud !== audience || payload.exp - payload.iat > 60) throw new Error("for others too, or for too long");
  for (const name of ["sub", "client_id", "jti"]) if (typeof payload[name] !== "string" || !payload[name]) throw new Error(`${name} is no text`);
  if ("scope" in payload && typeof payload.scope !== "string") throw new Error("scope is no text");
  return payload;
}
