// An app that runs in the browser alone: authorization code with PKCE, and tokens
// that are in memory and nowhere else, bound to a key that no script can read
// (DPoP, RFC 9449). A reload signs in again, silently as long as the person is
// signed in at the issuer. docs/guide/browser-app.md walks through it.
const { issuer, client_id, scope, api } = await (await fetch("settings.json")).json();
const redirect_uri = new URL(".", location).href;
const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
if (metadata.issuer !== issuer) throw new Error("metadata of another issuer");

const show = (id, text) => { document.getElementById(id).textContent = text; };
const b64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const utf8 = (text) => new TextEncoder().encode(text);
const random = () => b64(crypto.getRandomValues(new Uint8Array(32)));
const sha256 = async (text) => b64(await crypto.subtle.digest("SHA-256", utf8(text)));

const key = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", key.publicKey);
const nonces = {}; // by origin
let tokens = null; // never in localStorage or a cookie of ours

// proof says for one request that we hold the key.
async function proof(method, url, token) {
  const header = { typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } };
  const claims = { jti: random(), htm: method, htu: url, iat: Math.floor(Date.now() / 1000) };
  const nonce = nonces[new URL(url).origin];
  if (nonce) claims.nonce = nonce;
  if (token) claims.ath = await sha256(token);
  const text = [header, claims].map((part) => b64(utf8(JSON.stringify(part)))).join(".");
  return `${text}.${b64(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key.privateKey, utf8(text)))}`;
}

// send repeats a request once if the server wants its nonce in the proof.
async function send(method, url, { token, body } = {}) {
  for (let again = 0; ; again++) {
    const headers = { DPoP: await proof(method, url, token), ...(token && { Authorization: `DPoP ${token}` }) };
    const res = await fetch(url, { method, headers, body, credentials: "omit" });
    const nonce = res.headers.get("DPoP-Nonce");
    const told = nonce && nonce !== nonces[new URL(url).origin];
    if (nonce) nonces[new URL(url).origin] = nonce;
    if (!told || again || ![400, 401].includes(res.status)) return res;
  }
}

async function authorize(prompt) {
  const flow = { verifier: random(), state: random() };
  sessionStorage.setItem("flow", JSON.stringify(flow)); // survives the redirect; no token is in it
  location.assign(`${metadata.authorization_endpoint}?${new URLSearchParams({
    response_type: "code", client_id, redirect_uri, scope, state: flow.state, ...(prompt && { prompt }),
    code_challenge: await sha256(flow.verifier), code_challenge_method: "S256",
  })}`);
}

async function land(query) {
  history.replaceState(null, "", redirect_uri); // the code leaves the address at once
  const flow = JSON.parse(sessionStorage.getItem("flow") ?? "null");
  sessionStorage.removeItem("flow");
  if (!flow || query.get("state") !== flow.state || query.get("iss") !== issuer) throw new Error("the answer is of another sign-in");
  if (query.has("error")) return show("who", `not signed in: ${query.get("error")}`);
  const body = new URLSearchParams({ grant_type: "authorization_code", client_id, code: query.get("code"), redirect_uri, code_verifier: flow.verifier });
  const res = await send("POST", metadata.token_endpoint, { body });
  if (!res.ok) throw new Error(`the code was refused: ${res.status}`);
  tokens = await res.json();
  signedIn();
}

function signedIn() {
  show("who", "signed in");
  document.getElementById("call").disabled = document.getElementById("logout").disabled = false;
}

document.getElementById("login").onclick = () => authorize();
document.getElementById("call").onclick = async () => {
  let res = await send("GET", api, { token: tokens.access_token });
  if (res.status === 401) { // expired: refresh, once
    const body = new URLSearchParams({ grant_type: "refresh_token", client_id, refresh_token: tokens.refresh_token });
    const fresh = await send("POST", metadata.token_endpoint, { body });
    if (!fresh.ok) return authorize("login");
    tokens = { ...tokens, ...(await fresh.json()) };
    res = await send("GET", api, { token: tokens.access_token });
  }
  show("answer", `${res.status} ${await res.text()}`);
};
document.getElementById("logout").onclick = () => {
  const hint = tokens.id_token;
  tokens = null;
  location.assign(`${metadata.end_session_endpoint}?${new URLSearchParams({ ...(hint && { id_token_hint: hint }), client_id, post_logout_redirect_uri: redirect_uri })}`);
};

const query = new URLSearchParams(location.search);
if (query.has("state")) await land(query);
