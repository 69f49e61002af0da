// Pushed (RFC 9126) and signed (RFC 9101) authorization requests and signed
// responses (JARM) with openid-client, unmodified, given only the issuer's
// address: each alone, and all together with DPoP.
import { importJWK } from "jose";
import * as client from "openid-client";
import { ask, authorize, check, run, settings } from "./flow.mjs";

const { issuer, client_id, client_secret, redirect_uri, client_key, strict_id } = settings;

const status = async (promise) => promise.then(() => 0, (err) => err.status ?? err.error);

await run(async () => {
  const key = { key: await importJWK(client_key, "ES256"), kid: client_key.kid };
  const discover = (id, metadata) => client.discovery(new URL(issuer), id, metadata, client.ClientSecretPost(client_secret));
  const about = (await discover(client_id)).serverMetadata();
  check(about.pushed_authorization_request_endpoint.startsWith(issuer), "the metadata names the endpoint");
  check(about.response_modes_supported.includes("form_post.jwt"), "and the response modes");

  // begin makes a request and what its answer is checked with.
  const begin = async () => {
    const checks = { pkceCodeVerifier: client.randomPKCECodeVerifier(), expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true };
    return [checks, {
      redirect_uri, scope: "openid profile catalog.read", state: checks.expectedState, nonce: checks.expectedNonce,
      code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: "S256",
    }];
  };
  const finish = async (config, url, checks, options) => {
    const tokens = await client.authorizationCodeGrant(config, await authorize(url), checks, undefined, options);
    return tokens.claims().sub.length > 0;
  };

  {
    const config = await discover(client_id);
    const [checks, parameters] = await begin();
    const url = await client.buildAuthorizationUrlWithPAR(config, parameters);
    check(url.searchParams.size === 2 && url.searchParams.get("request_uri").startsWith("urn:ietf:params:oauth:request_uri:"), "PAR: the address holds a handle");
    check(await finish(config, url, checks), "PAR: sign-in");
    check((await ask({ opens: String(url) })).status === 400, "PAR: the handle is used up");
    check((await status(client.buildAuthorizationUrlWithPAR(config, { ...parameters, scope: "openid root" }))) === 400, "PAR: mistakes are told at once");
  }
  {
    const config = await discover(client_id);
    const [checks, parameters] = await begin();
    check(await finish(config, await client.buildAuthorizationUrlWithJAR(config, parameters, key), checks), "JAR: sign-in with a signed request");
  }
  {
    const config = await discover(client_id, { client_secret });
    client.useJwtResponseMode(config);
    const [checks, parameters] = await begin();
    check(await finish(config, client.buildAuthorizationUrl(config, parameters), checks), "JARM: sign-in with a signed response");
  }
  {
    const config = await discover(client_id, { client_secret, authorization_signed_response_alg: "ES256" });
    client.useJwtResponseMode(config);
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
    const [checks, parameters] = await begin();
    const signed = await client.buildAuthorizationUrlWithJAR(config, parameters, key);
    const url = await client.buildAuthorizationUrlWithPAR(config, signed.searchParams, { DPoP });
    check(await finish(config, url, checks, { DPoP }), "all of them, bound to a key from the push on");
  }
  {
    const config = await discover(strict_id);
    const [checks, parameters] = await begin();
    const plain = client.buildAuthorizationUrl(config, parameters);
    check((await authorize(plain)).searchParams.get("error") === "invalid_request", "a client that must push cannot do otherwise");
    check((await status(client.buildAuthorizationUrlWithPAR(config, parameters))) === 400, "nor push what it must sign");
    const signed = await client.buildAuthorizationUrlWithJAR(config, parameters, key);
    check(await finish(config, await client.buildAuthorizationUrlWithPAR(config, signed.searchParams), checks), "and signed and pushed it signs in");
  }
});
