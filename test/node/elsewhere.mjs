// Consent given elsewhere with openid-client, unmodified, given only the issuer's
// address: the device grant (RFC 8628) and CIBA by poll and ping. The library does
// the polling; the person decides meanwhile in a browser of their own.
import * as client from "openid-client";
import { ask, check, run, settings } from "./flow.mjs";

const { issuer, username, tv, bank, pinged, secret, pinged_secret, item } = settings;

const status = async (promise) => promise.then(() => "", (err) => err.error ?? err.cause?.error ?? err.code ?? String(err));

// uses calls the API with what the client got.
async function uses(config, tokens, DPoP) {
  const res = await client.fetchProtectedResource(config, tokens.access_token, new URL(item), "GET", null, undefined, { DPoP });
  return res.status === 200;
}

async function device() {
  const config = await client.discovery(new URL(issuer), tv, undefined, client.None());
  const begin = async (more) => client.initiateDeviceAuthorization(config, { scope: "openid offline_access catalog.read", ...more });
  {
    const asked = await begin();
    check(asked.verification_uri === `${issuer}/device` && asked.interval === 5, "device: the answer says where to go");
    await ask({ device: asked.verification_uri, code: asked.user_code, press: "allow" });
    const tokens = await client.pollDeviceAuthorizationGrant(config, { ...asked, interval: 1 });
    check(tokens.claims().sub.length > 0 && (await uses(config, tokens)), "device: signed in, and the API takes the token");
    check((await client.refreshTokenGrant(config, tokens.refresh_token)).access_token.length > 0, "device: and it is renewed");
    check((await status(client.pollDeviceAuthorizationGrant(config, { ...asked, interval: 1 }))) === "invalid_grant", "device: once");
  }
  {
    const asked = await begin();
    await ask({ device: asked.verification_uri_complete, code: "", press: "deny" });
    check((await status(client.pollDeviceAuthorizationGrant(config, { ...asked, interval: 1 }))) === "access_denied", "device: a refusal is told");
  }
  {
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
    const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
    const asked = await begin({ dpop_jkt: await DPoP.calculateThumbprint() });
    await ask({ device: asked.verification_uri, code: asked.user_code, press: "allow" });
    const fast = { ...asked, interval: 1 };
    check((await status(client.pollDeviceAuthorizationGrant(config, fast, undefined, { DPoP: thief }))) === "invalid_grant", "device: a code of a key is for nobody else");
    const tokens = await client.pollDeviceAuthorizationGrant(config, fast, undefined, { DPoP });
    check(tokens.token_type === "dpop" && (await uses(config, tokens, DPoP)), "device: and the key gets tokens that are bound to it");
  }
}

async function ciba() {
  const parameters = { scope: "openid catalog.read", login_hint: username, binding_message: "W4SCT" };
  {
    const config = await client.discovery(new URL(issuer), bank, secret);
    const asked = await client.initiateBackchannelAuthentication(config, parameters);
    await ask({ ciba: "W4SCT", press: "allow" });
    const tokens = await client.pollBackchannelAuthenticationGrant(config, { ...asked, interval: 1 });
    check(tokens.claims().sub.length > 0 && (await uses(config, tokens)), "CIBA poll: tokens, and the API takes them");
    const again = await client.initiateBackchannelAuthentication(config, { scope: parameters.scope, binding_message: parameters.binding_message, id_token_hint: tokens.id_token });
    await ask({ ciba: "W4SCT", press: "deny" });
    check((await status(client.pollBackchannelAuthenticationGrant(config, { ...again, interval: 1 }))) === "access_denied", "CIBA poll: a refusal is told");
  }
  {
    const config = await client.discovery(new URL(issuer), pinged, pinged_secret);
    const asked = await client.initiateBackchannelAuthentication(config, { ...parameters, client_notification_token: "token-of-this-request" });
    await ask({ ciba: "W4SCT", press: "allow" });
    const ping = await ask({ ping: asked.auth_req_id });
    check(ping.auth === "Bearer token-of-this-request" && ping.auth_req_id === asked.auth_req_id, "CIBA ping: the client is told");
    const tokens = await client.genericGrantRequest(config, "urn:openid:params:grant-type:ciba", { auth_req_id: ping.auth_req_id });
    check(await uses(config, tokens), "CIBA ping: and fetches the tokens at once");
  }
}

await run(async () => {
  await device();
  await ciba();
});
