// node-oidc-provider, unmodified, as the provider that people of the product sign in
// at. Everybody there is Bea, who agrees to everything. It says where it is, then does
// what it is told by a line each: logout tells the product that she has signed out.
import { createInterface } from "node:readline";
import { createServer } from "node:http";
import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";

const settings = JSON.parse(process.argv[2]);
const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const { privateKey } = await generateKeyPair("ES256", { extractable: true });

const provider = new Provider(issuer, {
  jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: "1", use: "sig", alg: "ES256" }] },
  cookies: { keys: ["only for this test"] },
  clients: [{
    client_id: "rp", client_secret: settings.secret, redirect_uris: [settings.redirect_uri], response_types: ["code"], grant_types: ["authorization_code"],
    id_token_signed_response_alg: "ES256", backchannel_logout_uri: settings.logout_uri, backchannel_logout_session_required: true,
  }],
  enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"] },
  features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true }, pushedAuthorizationRequests: { enabled: true } },
  pkce: { required: () => true },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: "bea@npm.example", email_verified: true, name: "Bea", preferred_username: "bea" }) }),
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
});
provider.on("server_error", (_, err) => console.error(err));
provider.on("grant.error", (_, err) => console.error(err));
provider.on("backchannel.error", (_, err) => console.error(err));
let sid = "";
provider.on("authorization.success", (ctx) => { sid = ctx.oidc.session.sidFor("rp"); });

server.on("request", async (req, res) => {
  if (!req.url.startsWith("/interaction/")) return provider.callback()(req, res);
  try {
    const { prompt, params, session } = await provider.interactionDetails(req, res);
    if (prompt.name === "login") return await provider.interactionFinished(req, res, { login: { accountId: "bea-1" } });
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return await provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } });
  } catch (err) {
    console.error(err);
    res.writeHead(500).end();
  }
});

const say = (line) => console.log(JSON.stringify(line));
const lines = createInterface({ input: process.stdin });
say({ issuer });
for await (const line of lines) {
  const { do: what } = JSON.parse(line);
  if (what !== "logout") break;
  const client = await provider.Client.find("rp");
  await client.backchannelLogout("bea-1", sid);
  say({ told: sid });
}
process.exit(0);
