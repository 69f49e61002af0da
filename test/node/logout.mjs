// Signing out, with openid-client and jose, unmodified: the address that ends the
// session, and the logout token that the client's server is sent for it.
import * as client from "openid-client";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { ask, authorize, check, run, settings } from "./flow.mjs";

const { issuer, client_id, client_secret, redirect_uri, bye } = settings;
const event = "http://schemas.openid.net/event/backchannel-logout";

await run(async () => {
  const config = await client.discovery(new URL(issuer), client_id, client_secret);
  const meta = config.serverMetadata();
  check(meta.backchannel_logout_supported && meta.backchannel_logout_session_supported, "discovery says that clients are told");

  const verifier = client.randomPKCECodeVerifier();
  const landed = await authorize(
    client.buildAuthorizationUrl(config, {
      redirect_uri,
      scope: "openid catalog.read",
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    }),
  );
  const tokens = await client.authorizationCodeGrant(config, landed, { pkceCodeVerifier: verifier, idTokenExpected: true });

  const end = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: bye, state: "s1" });
  const { landed: after } = await ask({ end: String(end) });
  check(after === `${bye}?state=s1`, "the browser comes back with the state");

  const { logout_token } = await ask({ told: "yes" });
  const { payload } = await jwtVerify(logout_token, createRemoteJWKSet(new URL(meta.jwks_uri)), {
    issuer,
    audience: client_id,
    typ: "logout+jwt",
    requiredClaims: ["iat", "exp", "jti", "sub", "sid", "events"],
  });
  const claims = tokens.claims();
  check(payload.sub === claims.sub && payload.sid === claims.sid, "the logout token is about the session of the ID token");
  check(typeof payload.events[event] === "object" && !("nonce" in payload), "and is a logout token, with no nonce");
  check(payload.exp - payload.iat <= 120, "that lives for two minutes");
  check((await ask({ end: String(end) })).landed === after, "signing out twice is no fault");
});
