// What a backend does with the inner token: jose verifies it against the
// gateway's keys, with each check that the guide asks for.
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { check, run, settings } from "./flow.mjs";

const { issuer, audience, other, client_id, inner, outer } = settings;

const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/sallyport-gateway/jwks.json`));
const verify = (token, options) => jwtVerify(token, keys, { issuer, audience, clockTolerance: 0, ...options });
const fails = (promise) => promise.then(() => false, () => true);

await run(async () => {
  const { typ, alg } = decodeProtectedHeader(inner);
  check(typ && typ !== "at+jwt" && typ !== "JWT", `the inner token has a type of its own, ${typ}`);
  const { payload } = await verify(inner, { typ, algorithms: [alg] });
  check(payload.client_id === client_id && payload.scope === "catalog.read", "it says which client may do what");
  check(payload.exp - payload.iat <= 60, "it lives for at most a minute");
  check(!inner.includes(outer) && !JSON.stringify(payload).includes(outer), "it does not hold the outer token");
  check(await fails(verify(inner, { audience: other })), "it is for one backend only");
  check(await fails(jwtVerify(inner, createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`)))), "the issuer's keys do not verify it");
  const front = await fetch(`${audience}/items/1`, { headers: { authorization: `Bearer ${inner}` } });
  check(front.status === 401, "it is refused at the front door");
});
