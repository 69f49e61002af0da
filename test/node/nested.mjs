// What a client and an API do with encrypted tokens: jose and openid-client,
// unmodified, decrypt them with keys of their own and verify the signature in
// them against the issuer's keys. What decrypts alone counts for nothing.
import { CompactEncrypt, compactDecrypt, createRemoteJWKSet, decodeProtectedHeader, importJWK, jwtVerify, UnsecuredJWT } from "jose";
import * as client from "openid-client";
import { authorize, check, run, settings } from "./flow.mjs";

const { issuer, client_id, redirect_uri, client_key, reports, reports_key, catalog, item } = settings;
const scope = "openid profile reports.read";
const algs = ["ECDH-ES+A256KW"];
const fails = (promise) => promise.then(() => false, () => true);
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));

// open does what an API has to do: decrypt with pinned algorithms, ask for a
// signed JWT in it, verify that.
async function open(token, key, keyAlgs, options) {
  const { plaintext, protectedHeader } = await compactDecrypt(token, key, {
    keyManagementAlgorithms: keyAlgs, contentEncryptionAlgorithms: ["A256GCM"],
  });
  if (protectedHeader.cty?.toLowerCase() !== "jwt") throw new Error("not a nested JWT");
  const { payload } = await jwtVerify(new TextDecoder().decode(plaintext), keys, { issuer, algorithms: ["ES256"], ...options });
  return payload;
}

await run(async () => {
  const mine = await importJWK(client_key, "ECDH-ES+A256KW");
  const config = await client.discovery(new URL(issuer), client_id, {
    id_token_encrypted_response_alg: "ECDH-ES+A256KW", userinfo_signed_response_alg: "ES256",
  }, client.None());
  client.enableDecryptingResponses(config, ["A256GCM"], { key: mine, alg: "ECDH-ES+A256KW", kid: client_key.kid });
  const about = config.serverMetadata();
  check(about.id_token_encryption_alg_values_supported.includes("ECDH-ES+A256KW"), "the metadata names the algorithm");
  check(!about.id_token_encryption_alg_values_supported.includes("RSA1_5"), "and none that is refused");

  const nonce = client.randomNonce();
  const signIn = async (scope) => {
    const verifier = client.randomPKCECodeVerifier();
    const landed = await authorize(client.buildAuthorizationUrl(config, {
      redirect_uri, scope, nonce, code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
    }));
    return client.authorizationCodeGrant(config, landed, { pkceCodeVerifier: verifier, expectedNonce: nonce, idTokenExpected: true });
  };
  const tokens = await signIn(scope);
  check(tokens.id_token.split(".").length === 5, "the ID token is encrypted");
  check(tokens.claims().aud === client_id, "openid-client decrypts and verifies it");
  const id = await open(tokens.id_token, mine, algs, { audience: client_id, typ: "JWT", requiredClaims: ["exp", "sub", "nonce"] });
  check(id.sub === tokens.claims().sub && id.nonce === nonce, "and so does jose");

  const api = await importJWK(reports_key, "RSA-OAEP-256");
  const access = { audience: reports, typ: "at+jwt", requiredClaims: ["exp", "iat", "jti", "sub", "client_id", "scope"] };
  const payload = await open(tokens.access_token, api, ["RSA-OAEP-256"], access);
  check(payload.scope === "reports.read" && payload.sub === id.sub && payload.client_id === client_id, "the API reads its access token");
  check(await fails(open(tokens.access_token, mine, algs, access)), "the client cannot");
  check(await fails(open(tokens.access_token, api, ["RSA-OAEP-256"], { ...access, audience: catalog })), "it is for one API");

  const flipped = tokens.access_token.split(".");
  flipped[3] = (flipped[3][0] === "A" ? "B" : "A") + flipped[3].slice(1);
  check(await fails(open(flipped.join("."), api, ["RSA-OAEP-256"], access)), "one bit flipped is refused");
  const forge = (inner) => new CompactEncrypt(new TextEncoder().encode(inner))
    .setProtectedHeader({ alg: "RSA-OAEP-256", enc: "A256GCM", cty: "JWT" }).encrypt({ ...reports_key, d: undefined, p: undefined, q: undefined, dp: undefined, dq: undefined, qi: undefined });
  const unsigned = new UnsecuredJWT(payload).setIssuer(issuer).encode();
  check(await fails(forge(unsigned).then((t) => open(t, api, ["RSA-OAEP-256"], access))), "an unsigned token in an envelope is refused");
  check(await fails(forge(JSON.stringify(payload)).then((t) => open(t, api, ["RSA-OAEP-256"], access))), "and so are bare claims");

  const other = await client.refreshTokenGrant(config, tokens.refresh_token, { scope: "openid profile" });
  const response = await fetch(about.userinfo_endpoint, { headers: { authorization: `Bearer ${other.access_token}` } });
  check(response.headers.get("content-type") === "application/jwt", "userinfo is a JWT");
  const me = await open(await response.text(), mine, algs, { audience: client_id, typ: "userinfo+jwt", requiredClaims: ["sub"] });
  check(me.sub === id.sub && me.preferred_username, "jose decrypts and verifies userinfo");
  const info = await client.fetchUserInfo(config, other.access_token, id.sub);
  check(info.sub === id.sub, "and so does openid-client");

  const plain = await signIn("openid catalog.read");
  const { typ } = decodeProtectedHeader(plain.access_token);
  check(typ === "at+jwt", "an API may have readable access tokens");
  const read = await jwtVerify(plain.access_token, keys, { issuer, audience: catalog, typ: "at+jwt", algorithms: ["ES256"] });
  check(read.payload.scope === "openid catalog.read", "jose verifies them");
  const call = async (token) => (await fetch(item, { headers: { authorization: `Bearer ${token}` } })).status;
  check((await call(plain.access_token)) === 200, "the gateway takes them");
  check((await call(tokens.access_token)) === 401, "it takes no encrypted ones");
  check((await call(tokens.id_token)) === 401, "nor ID tokens");
  await client.tokenRevocation(config, plain.access_token);
  check((await call(plain.access_token)) === 401, "and a revoked one is dead at once");
});
