// A web application with a server: people sign in with authorization code and PKCE,
// tokens stay on the server, and the browser has nothing but a cookie that says
// nothing. docs/guide/server-app.md walks through it.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import * as oidc from "openid-client";

const issuer = process.env.ISSUER ?? "https://localhost:8443";
const clientID = process.env.CLIENT_ID ?? "demo-web";
const secret = readFileSync(process.env.SECRET_FILE ?? ".sallyport/demo-web.secret", "utf8").trim();
const base = process.env.BASE ?? "https://localhost:3000"; // where the browser finds this server
const tls = { cert: readFileSync(process.env.CERT_FILE ?? ".sallyport/cert.pem"), key: readFileSync(process.env.KEY_FILE ?? ".sallyport/key.pem") };
const scope = process.env.SCOPE ?? "openid profile catalog.read";
const api = process.env.API ?? `${issuer}/catalog/items/1`;

const config = await oidc.discovery(new URL(issuer), clientID, secret);
const cookieName = "__Host-session";
const cookieRules = "Path=/; HttpOnly; Secure; SameSite=Lax";
const sessions = new Map(); // by cookie; a real one has an end, and a store

// session finds the session of a request, or makes one.
function session(req, res) {
  const id = new RegExp(`(?:^|; )${cookieName}=([^;]+)`).exec(req.headers.cookie ?? "")?.[1];
  if (id && sessions.has(id)) return sessions.get(id);
  return renew(res, {});
}

// renew gives a session a new name, so that a cookie from before signing in opens
// nothing afterwards.
function renew(res, data) {
  for (const [id, value] of sessions) if (value === data) sessions.delete(id);
  const id = randomBytes(32).toString("base64url");
  sessions.set(id, data);
  res.setHeader("Set-Cookie", `${cookieName}=${id}; ${cookieRules}`);
  return data;
}

function redirect(res, to) {
  res.writeHead(303, { Location: to, "Cache-Control": "no-store" }).end();
}

function text(res, status, body) {
  res.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" }).end(body);
}

const routes = {
  "GET /": (_, res, s) => text(res, 200, s.person ? `signed in as ${s.person}: /call, /logout\n` : "not signed in: /login\n"),

  "GET /login": async (_, res, s) => {
    s.flow = { verifier: oidc.randomPKCECodeVerifier(), state: oidc.randomState(), nonce: oidc.randomNonce() };
    redirect(res, oidc.buildAuthorizationUrl(config, {
      redirect_uri: `${base}/callback`, scope, state: s.flow.state, nonce: s.flow.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(s.flow.verifier), code_challenge_method: "S256",
    }).href);
  },

  "GET /callback": async (req, res, s) => {
    const { flow } = s; // of this browser: somebody else's answer is refused
    if (!flow) return text(res, 400, "this browser has not started a sign-in\n");
    delete s.flow;
    const tokens = await oidc.authorizationCodeGrant(config, new URL(req.url, base), {
      pkceCodeVerifier: flow.verifier, expectedState: flow.state, expectedNonce: flow.nonce,
    });
    Object.assign(s, { tokens, person: tokens.claims().sub, expires: Date.now() + tokens.expires_in * 1000 });
    renew(res, s);
    redirect(res, "/");
  },

  "GET /call": async (_, res, s) => {
    if (!s.tokens) return redirect(res, "/login");
    if (Date.now() > s.expires - 30_000) {
      const fresh = await oidc.refreshTokenGrant(config, s.tokens.refresh_token);
      s.tokens = { refresh_token: s.tokens.refresh_token, id_token: s.tokens.id_token, ...fresh };
      s.expires = Date.now() + fresh.expires_in * 1000;
    }
    const answer = await oidc.fetchProtectedResource(config, s.tokens.access_token, new URL(api), "GET");
    text(res, answer.status, await answer.text());
  },

  "GET /logout": (_, res, s) => {
    const hint = s.tokens?.id_token;
    for (const [id, value] of sessions) if (value === s) sessions.delete(id);
    res.setHeader("Set-Cookie", `${cookieName}=; Max-Age=0; ${cookieRules}`);
    redirect(res, oidc.buildEndSessionUrl(config, { ...(hint && { id_token_hint: hint }), post_logout_redirect_uri: `${base}/` }).href);
  },
};

createServer(tls, async (req, res) => {
  try {
    const serve = routes[`${req.method} ${new URL(req.url, base).pathname}`];
    await (serve ? serve(req, res, session(req, res)) : text(res, 404, "there is nothing here\n"));
  } catch (err) {
    console.error(err.error ?? err.code ?? err.message); // never the request: it may hold a code
    if (!res.headersSent) text(res, 502, "signing in or calling failed\n");
  }
}).listen(Number(new URL(base).port), new URL(base).hostname, () => console.log(`open ${base}`));
