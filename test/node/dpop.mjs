// Sender-constrained tokens (RFC 9449) with openid-client and oauth4webapi,
// unmodified: both answer use_dpop_nonce by themselves or as their pages say.
import * as client from "openid-client";
import * as oauth from "oauth4webapi";
import { authorize, check, run, settings } from "./flow.mjs";

const { issuer, client_id, redirect_uri, scope, high_scope, item, service_client_id, service_secret } = settings;

// refused reports whether a promise fails with this OAuth error or status.
async function refused(promise, code) {
  try {
    const res = await promise;
    return res?.status === code;
  } catch (err) {
    return err.error === code || err.status === code || err.code === code || err.cause?.[0]?.parameters?.error === code;
  }
}

async function withOpenIDClient() {
  const config = await client.discovery(new URL(issuer), client_id, undefined, client.None());
  const service = await client.discovery(new URL(issuer), service_client_id, service_secret);
  const keys = await client.randomDPoPKeyPair("ES256");
  const DPoP = client.getDPoPHandle(config, keys);
  const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));

  const land = async (asked, jkt) => {
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const expectedState = client.randomState();
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri, scope: asked, state: expectedState, ...(jkt && { dpop_jkt: jkt }),
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: "S256",
    });
    return [await authorize(url), { pkceCodeVerifier, expectedState }];
  };
  const jkt = await DPoP.calculateThumbprint();

  const [landed, checks] = await land(scope, jkt);
  check(await refused(client.authorizationCodeGrant(config, landed, checks, undefined, { DPoP: thief }), "invalid_grant"), "PP15 the code is bound to the key");
  const tokens = await client.authorizationCodeGrant(config, landed, checks, undefined, { DPoP });
  check(tokens.token_type === "dpop", "PP14 token_type is DPoP");

  const told = await client.tokenIntrospection(service, tokens.access_token);
  check(told.active && told.cnf?.jkt === jkt && told.token_type === "DPoP", "PP14 introspection tells the key");

  const me = await client.fetchUserInfo(config, tokens.access_token, client.skipSubjectCheck, { DPoP });
  check(Boolean(me.sub), "userinfo takes the token with a proof");
  check(await refused(client.fetchUserInfo(config, tokens.access_token, client.skipSubjectCheck), 401), "PP12 and not without");

  const call = (token, handle, url = item) =>
    client.fetchProtectedResource(config, token, new URL(url), "GET", null, undefined, { DPoP: handle });
  check((await call(tokens.access_token, DPoP)).status === 200, "the token opens the gateway with a proof");
  check(await refused(call(tokens.access_token, undefined), 401), "PP12 and not as a bearer token");
  check(await refused(call(tokens.access_token, thief), 401), "PP11 nor with another key");

  check(await refused(client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP: thief }), "invalid_grant"), "PP17 refresh is refused to another key");
  check(await refused(client.refreshTokenGrant(config, tokens.refresh_token), "invalid_dpop_proof"), "PP17 and without a key");
  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
  check(fresh.refresh_token !== tokens.refresh_token, "and rotates for the right one");
  const again = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
  check(again.refresh_token === fresh.refresh_token, "PP17 a lost answer is repeated");
  check((await call(again.access_token, DPoP)).status === 200, "the refreshed token opens the gateway");

  const [high, highChecks] = await land(high_scope);
  const strong = await client.authorizationCodeGrant(config, high, highChecks, undefined, { DPoP });
  check(strong.token_type === "dpop" && strong.expires_in <= 300, "PP13 tier high: openid-client fetches the nonce by itself");
}

async function withOAuth4webapi() {
  const url = new URL(issuer);
  const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm: "oauth2" }));
  check(as.dpop_signing_alg_values_supported.includes("ES256"), "the metadata names the algorithms of proofs");
  const app = { client_id };
  const keys = await oauth.generateKeyPair("ES256");
  const DPoP = oauth.DPoP(app, keys);
  const verifier = oauth.generateRandomCodeVerifier();
  const ask = new URL(as.authorization_endpoint);
  ask.search = new URLSearchParams({
    client_id, redirect_uri, scope: high_scope, state: "s", response_type: "code", dpop_jkt: await DPoP.calculateThumbprint(),
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  const params = oauth.validateAuthResponse(as, app, await authorize(ask), "s");
  const redeem = () => oauth.authorizationCodeGrantRequest(as, app, oauth.None(), params, redirect_uri, verifier, { DPoP });
  let nonces = 0;
  const first = await redeem();
  let tokens;
  try {
    tokens = await oauth.processAuthorizationCodeResponse(as, app, first);
  } catch (err) {
    if (!oauth.isDPoPNonceError(err)) throw err;
    nonces++;
    tokens = await oauth.processAuthorizationCodeResponse(as, app, await redeem());
  }
  check(nonces === 1 && tokens.token_type === "dpop", "PP13 the client is asked for a nonce once, and the code is not spent by it");
  const next = await oauth.processRefreshTokenResponse(
    as, app, await oauth.refreshTokenGrantRequest(as, app, oauth.None(), tokens.refresh_token, { DPoP }));
  check(next.token_type === "dpop", "the nonce goes on working");
}

await run(async () => {
  await withOpenIDClient();
  await withOAuth4webapi();
});
