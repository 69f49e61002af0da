// An MCP server behind Sallyport's gateway. It has no login of its own: each call
// brings a statement of the gateway in Authorization, which says who calls. It
// listens on this machine alone, so nobody comes around the gateway; where that
// is not so, verify the statement (docs/guide/backend.md).
import { createServer } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

const port = Number(process.env.PORT ?? 9000);

// caller reads the statement: a JWT, three parts, the claims in the middle.
const caller = (req) => JSON.parse(Buffer.from((req.headers.authorization ?? "").split(".")[1] ?? "e30", "base64url"));

createServer(async (req, res) => {
  if (req.method !== "POST") return void res.writeHead(405).end();
  const server = new McpServer({ name: "notes", version: "1.0.0" });
  const { sub, client_id } = caller(req);
  server.registerTool("whoami", { description: "Says who calls" }, async () => ({
    content: [{ type: "text", text: `You are ${sub}, and you came by way of ${client_id}` }],
  }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  res.on("close", () => transport.close());
  await server.connect(transport);
  await transport.handleRequest(req, res);
}).listen(port, "127.0.0.1", () => console.log(`the MCP server listens on ${port}`));
