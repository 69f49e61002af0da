// Token exchange (RFC 8693), client credentials with DPoP, and introspection as a
// JWT (RFC 9701) with oauth4webapi, unmodified.
import * as oauth from "oauth4webapi";
import { check, run, settings } from "./flow.mjs";

const { issuer, item, forecast, service_client_id, service_secret } = settings;
const accessToken = "urn:ietf:params:oauth:token-type:access_token";

await run(async () => {
  const url = new URL(issuer);
  const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm: "oauth2" }));
  const c = { client_id: service_client_id };
  const auth = oauth.ClientSecretBasic(service_secret);
  const DPoP = oauth.DPoP(c, await oauth.generateKeyPair("ES256"));

  const granted = await oauth.processClientCredentialsResponse(as, c, await oauth.clientCredentialsGrantRequest(as, c, auth, { scope: "catalog.read" }, { DPoP }));
  check(granted.token_type === "dpop", "TK18 client_credentials, bound to a key");
  const bare = await oauth.processClientCredentialsResponse(as, c, await oauth.clientCredentialsGrantRequest(as, c, auth, { scope: "catalog.read weather.read" }));
  check(bare.token_type === "bearer" && !bare.refresh_token, "TK18 client_credentials");

  const exchange = (subject, options) => oauth.genericTokenEndpointRequest(as, c, auth, "urn:ietf:params:oauth:grant-type:token-exchange", { subject_token: subject, subject_token_type: accessToken, audience: "weather" }, options);
  const next = await oauth.processGenericTokenEndpointResponse(as, c, await exchange(bare.access_token));
  check(next.issued_token_type === accessToken && next.scope === "weather.read", "TK26 token exchange");
  const call = async (token, to) => (await fetch(to, { headers: { Authorization: `Bearer ${token}` } })).status;
  check((await call(next.access_token, forecast)) === 200, "TK24 the new token opens the other API");
  check((await call(next.access_token, item)) === 401, "TK25 and not the first one");
  let code;
  await oauth.processGenericTokenEndpointResponse(as, c, await exchange("spat_x")).catch((err) => { code = err.error; });
  check(code === "invalid_request", "TK24 a token that is none");

  const signed = await oauth.introspectionRequest(as, { ...c, introspection_signed_response_alg: "ES256" }, auth, next.access_token, { requestJwtResponse: true });
  const told = await oauth.processIntrospectionResponse(as, { ...c, introspection_signed_response_alg: "ES256" }, signed);
  check(told.active && told.scope === "weather.read" && told.client_id === service_client_id, "IN06 introspection as a JWT");
  await oauth.validateApplicationLevelSignature(as, signed);
  const plain = await oauth.processIntrospectionResponse(as, c, await oauth.introspectionRequest(as, c, auth, "x"));
  check(plain.active === false && Object.keys(plain).length === 1, "IN02 inactive");
});
