// A code stolen from the browser's history, with oauth4webapi, which checks
// answers more strictly than most: replayed, it must end what it gave out.
import * as oauth from "oauth4webapi";
import { authorize, check, run, settings } from "./flow.mjs";

const { issuer, client_id, redirect_uri, scope, item } = settings;
const call = async (token) => (await fetch(item, { headers: { authorization: `Bearer ${token}` } })).status;

await run(async () => {
  const url = new URL(issuer);
  const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm: "oauth2" }));
  const client = { client_id };
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const ask = new URL(as.authorization_endpoint);
  ask.search = new URLSearchParams({
    client_id, redirect_uri, scope, state,
    response_type: "code",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  const params = oauth.validateAuthResponse(as, client, await authorize(ask), state);
  const redeem = () =>
    oauth.authorizationCodeGrantRequest(as, client, oauth.None(), params, redirect_uri, verifier);
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, await redeem());
  check((await call(tokens.access_token)) === 200, "the token opens the gateway");
  const second = await redeem();
  check(second.status === 400 && (await second.json()).error === "invalid_grant", "a code is accepted once");
  check((await call(tokens.access_token)) === 401, "and a replay ends what it gave out");
});
