// A backend that answers the calls of a Sallyport gateway, with jose.
import { createServer } from "node:http";
import { inner } from "./inner.mjs";

const server = createServer({ maxHeaderSize: 16384 }, async (req, res) => {
  try {
    const lines = req.headersDistinct.authorization ?? []; // req.headers would show the first of several
    const [, token] = (lines.length === 1 && /^Bearer ([\w.-]+)$/.exec(lines[0])) || [];
    const { sub } = await inner(token);
    res.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ sub }));
  } catch {
    res.writeHead(401, { "WWW-Authenticate": 'Bearer error="invalid_token"' }).end();
  }
});
server.listen(Number(process.env.PORT ?? 9000), "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
