// An MCP client that knows the address of a server and nothing else. The SDK finds
// the issuer, registers, and exchanges the code; this file keeps what it is given,
// and waits for the person to come back.
import { createServer } from "node:http";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { discoverOAuthProtectedResourceMetadata, UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";

const address = new URL(process.argv[2] ?? "https://localhost:8443/mcp");

// The person's browser comes back to this machine, on a port that is free.
const kept = {};
let cameBack;
const back = new Promise((done) => (cameBack = done));
const callback = createServer((req, res) => {
  const url = new URL(req.url, "http://127.0.0.1");
  if (url.pathname !== "/callback") return void res.writeHead(404).end();
  res.end("You can close this window.\n");
  cameBack(url.searchParams);
});
await new Promise((done) => callback.listen(0, "127.0.0.1", done));

const provider = {
  redirectUrl: `http://127.0.0.1:${callback.address().port}/callback`,
  clientMetadata: {
    client_name: "MCP example",
    redirect_uris: ["http://127.0.0.1/callback"], // of a loopback address any port will do
    grant_types: ["authorization_code", "refresh_token"],
    token_endpoint_auth_method: "none",
  },
  state: () => (kept.state ??= crypto.randomUUID()),
  clientInformation: () => kept.client,
  saveClientInformation: (v) => void (kept.client = v),
  tokens: () => kept.tokens,
  saveTokens: (v) => void (kept.tokens = v),
  redirectToAuthorization: (url) => console.log(`Open ${url}`),
  saveCodeVerifier: (v) => void (kept.verifier = v),
  codeVerifier: () => kept.verifier,
};

const connect = async () => {
  const client = new Client({ name: "example", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(address, { authProvider: provider });
  try {
    await client.connect(transport);
    return client;
  } catch (err) {
    if (!(err instanceof UnauthorizedError)) throw err;
    const answer = await back;
    // What comes back must belong to what was sent (state), and must come from the
    // issuer that was asked (iss, RFC 9207).
    const { authorization_servers: [issuer] } = await discoverOAuthProtectedResourceMetadata(address);
    if (answer.get("state") !== kept.state || answer.get("iss") !== issuer || answer.get("error")) throw new Error(answer.get("error") ?? "an answer to another request");
    await transport.finishAuth(answer.get("code"));
    return connect();
  }
};

const client = await connect();
const result = await client.callTool({ name: "whoami", arguments: {} });
console.log(result.content[0].text);
await client.close();
process.exit(0);
