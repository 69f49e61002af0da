// A server client that proves itself by a key with openid-client, unmodified:
// client_credentials, a sign-in, refresh, revocation.
import * as client from "openid-client";
import { authorize, check, run, settings } from "./flow.mjs";

const { issuer, service_id, web_id, redirect_uri, jwk } = settings;

await run(async () => {
  const key = await crypto.subtle.importKey("jwk", JSON.parse(jwk), { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  const prove = client.PrivateKeyJwt({ key, kid: "k1" });

  const service = await client.discovery(new URL(issuer), service_id, undefined, prove);
  const own = await client.clientCredentialsGrant(service, { scope: "catalog.read" });
  check(own.access_token.startsWith("spat_"), "client_credentials by an assertion");
  await client.clientCredentialsGrant(service, { scope: "catalog.read" });
  check(true, "and once more, by another");

  const web = await client.discovery(new URL(issuer), web_id, undefined, prove);
  const verifier = client.randomPKCECodeVerifier();
  const landed = await authorize(
    client.buildAuthorizationUrl(web, {
      redirect_uri,
      scope: "openid catalog.read",
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    }),
  );
  const tokens = await client.authorizationCodeGrant(web, landed, { pkceCodeVerifier: verifier, idTokenExpected: true });
  check(tokens.claims().aud === web_id, "a code by an assertion");
  const fresh = await client.refreshTokenGrant(web, tokens.refresh_token);
  check(fresh.access_token !== tokens.access_token, "refresh by an assertion");
  await client.tokenRevocation(web, fresh.refresh_token);
  check(true, "revocation by an assertion");

  const stranger = await client.discovery(new URL(issuer), service_id, "a-secret", client.ClientSecretBasic("a-secret"));
  try {
    await client.clientCredentialsGrant(stranger);
    check(false, "a secret instead of an assertion");
  } catch (err) {
    check(err.error === "invalid_client" || err.status === 401, "a secret is no way in");
  }
});
