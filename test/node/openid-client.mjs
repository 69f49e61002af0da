// The whole life of a sign-in with openid-client, unmodified, given only the
// issuer's address.
import * as client from "openid-client";
import { authorize, check, logout, run, settings } from "./flow.mjs";

const { issuer, client_id, redirect_uri, scope, item, service_client_id, service_secret } = settings;

async function refused(promise, code) {
  try {
    await promise;
  } catch (err) {
    return err.error === code || err.status === code;
  }
  return false;
}

const call = async (token, method = "GET") =>
  (await fetch(item, { method, headers: { authorization: `Bearer ${token}` } })).status;

await run(async () => {
  const config = await client.discovery(new URL(issuer), client_id, undefined, client.None());
  const service = await client.discovery(new URL(issuer), service_client_id, service_secret);

  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const landed = await authorize(
    client.buildAuthorizationUrl(config, {
      redirect_uri,
      scope,
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    }),
  );
  const tokens = await client.authorizationCodeGrant(config, landed, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  check(tokens.access_token.startsWith("spat_"), "code and PKCE give a sealed token and a valid ID token");
  check((await call(tokens.access_token)) === 200, "the token opens the gateway");

  const me = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  check(me.sub === tokens.claims().sub, "userinfo is about the person of the ID token");

  const told = await client.tokenIntrospection(service, tokens.access_token);
  check(told.active === true && told.client_id === client_id, "introspection tells the resource server");

  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token);
  check(fresh.refresh_token !== tokens.refresh_token, "refresh rotates");
  check((await call(fresh.access_token)) === 200, "the refreshed token opens the gateway");

  await client.tokenRevocation(config, tokens.access_token);
  check((await call(tokens.access_token)) === 401, "a revoked token is dead at the gateway");
  check((await call(fresh.access_token)) === 200, "and only that one");

  const own = await client.clientCredentialsGrant(service, { scope: "catalog.read" });
  check((await call(own.access_token)) === 200, "client_credentials opens the gateway");

  const end = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token });
  check((await logout(end)) === 200, "RP-initiated logout ends with a page");
  check((await call(fresh.access_token)) === 401, "after logout the token is dead at the gateway");
  check(await refused(client.refreshTokenGrant(config, fresh.refresh_token), "invalid_grant"), "and so is the refresh token");
  const dead = await client.tokenIntrospection(service, fresh.access_token);
  check(dead.active === false, "and introspection says so");
});
