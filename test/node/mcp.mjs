// The authorization flow of the TypeScript MCP SDK against an MCP server (the
// same SDK) that stands behind the gateway. The client knows the address of the
// server and nothing else.
import { createServer } from "node:http";
import { createServer as createTLS } from "node:https";
import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { settings, authorize, check, run } from "./flow.mjs";

// backend is an MCP server that trusts its gateway: it has no login of its own.
function backend() {
  const http = createServer(async (req, res) => {
    if (req.method !== "POST") return void res.writeHead(405).end();
    const token = (req.headers.authorization ?? "").replace(/^Bearer /, "");
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "e30", "base64url"));
    const server = new McpServer({ name: "notes", version: "1.0.0" });
    server.registerTool("whoami", { description: "Who calls" }, async () => ({ content: [{ type: "text", text: JSON.stringify(claims) }] }));
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    res.on("close", () => transport.close());
    await server.connect(transport);
    await transport.handleRequest(req, res);
  });
  return new Promise((done) => http.listen(settings.backend, "127.0.0.1", done));
}

// document serves client metadata at an https address, which is the client_id.
function document(metadata) {
  const https = createTLS({ cert: readFileSync(settings.cert), key: readFileSync(settings.key) }, (req, res) => {
    res.setHeader("Content-Type", "application/json");
    res.end(JSON.stringify({ ...metadata, client_id: settings.client_id }));
  });
  return new Promise((done) => https.listen(Number(new URL(settings.client_id).port), new URL(settings.client_id).hostname, done));
}

const metadata = {
  client_name: "MCP test client",
  redirect_uris: [settings.redirect_uri],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
};

// provider is what an application gives the SDK: places to keep things.
function provider(extra) {
  const kept = {};
  return {
    kept,
    redirectUrl: settings.redirect_uri,
    clientMetadata: metadata,
    state: () => "state-of-this-client",
    clientInformation: () => kept.client,
    saveClientInformation: (v) => void (kept.client = v),
    tokens: () => kept.tokens,
    saveTokens: (v) => void (kept.tokens = v),
    redirectToAuthorization: (url) => void (kept.url = url),
    saveCodeVerifier: (v) => void (kept.verifier = v),
    codeVerifier: () => kept.verifier,
    ...extra,
  };
}

async function call(name, auth) {
  const server = new URL(settings.server);
  let transport = new StreamableHTTPClientTransport(server, { authProvider: auth });
  try {
    await new Client({ name: "test", version: "1.0.0" }).connect(transport);
    throw new Error("the server let somebody in without a token");
  } catch (err) {
    if (!(err instanceof UnauthorizedError)) throw err;
  }
  const asked = auth.kept.url;
  check(asked.origin === settings.issuer && asked.searchParams.get("resource") === settings.server, `${name}: the client found the issuer and names the resource`);
  const landed = await authorize(asked);
  check(landed.searchParams.get("state") === "state-of-this-client" && landed.searchParams.get("iss") === settings.issuer, `${name}: state and iss came back`);
  await transport.finishAuth(landed.searchParams.get("code"));
  check(auth.kept.tokens.refresh_token !== undefined, `${name}: there is a refresh token`);

  transport = new StreamableHTTPClientTransport(server, { authProvider: auth });
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(transport);
  const { tools } = await client.listTools();
  check(tools.some((t) => t.name === "whoami"), `${name}: the tools are listed`);
  const result = await client.callTool({ name: "whoami", arguments: {} });
  const claims = JSON.parse(result.content[0].text);
  check(claims.client_id !== undefined, `${name}: the tool was called, and the backend knows by whom`);
  await client.close();
  return claims;
}

run(async () => {
  await backend();
  const registered = provider({});
  const claims = await call("dynamic registration", registered);
  check(claims.client_id === registered.kept.client.client_id, "the backend sees the client that registered itself");
  check(registered.kept.client.client_secret === undefined, "a native client got no secret");

  await document(metadata);
  const described = provider({ clientMetadataUrl: settings.client_id });
  const again = await call("metadata document", described);
  check(again.client_id === settings.client_id, "the client_id is the address of the document");
});
