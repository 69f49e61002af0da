// node-oidc-provider as a server to be measured: it listens on a loopback port and
// prints one line about itself, like the other servers of bench/issuer. Everything
// is in memory: a map, which is faster than the package's own adapter. Paths are
// those of the product, so that the load is the same.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { generateKeyPair, exportJWK } from "jose";
import Provider from "oidc-provider";

const api = "https://api.example.com/catalog";
const jwtAPI = "https://api.example.com/reports";
const redirectURI = "https://app.example.com/cb";
const workers = Number(process.argv[2]);

// Memory is an adapter that keeps everything until the process ends.
const store = new Map();
const members = new Map(); // of a grant
const byUid = new Map();

class Memory {
  constructor(model) {
    this.model = model;
  }
  key(id) {
    return `${this.model}:${id}`;
  }
  async upsert(id, payload) {
    const key = this.key(id);
    store.set(key, payload);
    if (payload.uid) byUid.set(payload.uid, key);
    if (payload.grantId) {
      const list = members.get(payload.grantId);
      if (list) list.push(key);
      else members.set(payload.grantId, [key]);
    }
  }
  async find(id) {
    return store.get(this.key(id));
  }
  async findByUid(uid) {
    return store.get(byUid.get(uid));
  }
  async findByUserCode() {
    return undefined;
  }
  async consume(id) {
    store.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    store.delete(this.key(id));
  }
  async revokeByGrantId(grantId) {
    for (const key of members.get(grantId) ?? []) store.delete(key);
    members.delete(grantId);
  }
}

const secret = randomBytes(32).toString("base64url");
const { privateKey } = await generateKeyPair("ES256", { extractable: true });
const jwk = { ...(await exportJWK(privateKey)), kid: "1", use: "sig", alg: "ES256" };

const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(url, {
  adapter: Memory,
  jwks: { keys: [jwk] },
  clients: [
    { client_id: "job", client_secret: secret, grant_types: ["client_credentials"], redirect_uris: [], response_types: [] },
    {
      client_id: "web", client_secret: secret, grant_types: ["authorization_code", "refresh_token"], redirect_uris: [redirectURI],
      response_types: ["code"], id_token_signed_response_alg: "ES256",
    },
    {
      client_id: "app", token_endpoint_auth_method: "none", grant_types: ["authorization_code", "refresh_token"], redirect_uris: [redirectURI],
      response_types: ["code"], id_token_signed_response_alg: "ES256",
    },
  ],
  clientDefaults: { id_token_signed_response_alg: "ES256" },
  enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
  scopes: ["openid", "offline_access"],
  cookies: { names: { session: "session" } },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    pushedAuthorizationRequests: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx) => (ctx.oidc.params?.scope?.includes("reports.read") ? jwtAPI : api),
      useGrantedResource: () => true,
      getResourceServerInfo: (_, indicator) =>
        indicator === jwtAPI
          ? { scope: "reports.read", accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } }, accessTokenTTL: 600 }
          : { scope: "catalog.read", accessTokenFormat: "opaque", accessTokenTTL: 600 },
    },
  },
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  ttl: { AccessToken: 600, AuthorizationCode: 60, ClientCredentials: 600, IdToken: 300, RefreshToken: 86400, Grant: 86400, Session: 86400 },
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  routes: { authorization: "/oauth/authorize", token: "/oauth/token", introspection: "/oauth/introspect", pushed_authorization_request: "/oauth/par" },
});
provider.on("server_error", (_, err) => console.error(err));

async function granted(clientId) {
  const grant = new provider.Grant({ accountId: "bench", clientId });
  grant.addOIDCScope("openid offline_access");
  grant.addResourceScope(api, "catalog.read");
  return grant.save();
}

const refreshTokens = [];
const client = await provider.Client.find("app");
for (let i = 0; i < workers; i++) {
  const token = new provider.RefreshToken({
    accountId: "bench", client, grantId: await granted("app"), gty: "authorization_code", scope: "catalog.read", resource: api, rotations: 0,
    iiat: Math.floor(Date.now() / 1000),
  });
  refreshTokens.push(await token.save());
}

// One person is signed in and has agreed, for each worker.
const cookies = [];
for (let i = 0; i < workers; i++) {
  const session = new provider.Session();
  session.loginAccount({ accountId: "bench", loginTs: Math.floor(Date.now() / 1000), remember: true });
  session.ensureClientContainer("web");
  session.grantIdFor("web", await granted("web"));
  await session.save(86400);
  cookies.push(`session=${session.jti}`);
}

const access = new provider.AccessToken({
  accountId: "bench", client: await provider.Client.find("web"), grantId: await granted("web"), gty: "authorization_code", scope: "catalog.read", aud: api,
});
access.resourceServer = new provider.ResourceServer(api, { scope: "catalog.read", accessTokenFormat: "opaque", accessTokenTTL: 600 });

server.on("request", provider.callback());
console.log(JSON.stringify({
  url, client_id: "job", client_secret: secret, refresh_client: "app", access_token: await access.save(), refresh_tokens: refreshTokens,
  flow_clients: ["web"], flow_cookies: cookies,
}));
process.on("SIGINT", () => process.exit(0));
