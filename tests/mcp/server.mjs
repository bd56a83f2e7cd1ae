// A server of the official SDK, for both eras of the protocol, whose answers may be as large as one likes.
// server.mjs: over standard input and output; server.mjs http: over Streamable HTTP on 127.0.0.1:$PORT.
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

const text = (value) => ({ content: [{ type: "text", text: value }] });

function make() {
  const server = new McpServer({ name: "lilith-test-server", version: "1" }, { capabilities: { tools: {} } });
  server.registerTool("echo", { description: "Says it again", inputSchema: z.object({ message: z.string() }) },
    async ({ message }) => text(message));
  server.registerTool("big", { description: "Says much", inputSchema: z.object({ bytes: z.number() }) },
    async ({ bytes }) => text("x".repeat(bytes)));
  server.registerTool("zone", {
    description: "Says where", inputSchema: z.object({ zone: z.string().meta({ "x-mcp-header": "Zone" }) }) },
    async ({ zone }) => text(zone));
  server.registerTool("pid", { description: "Says who it is", inputSchema: z.object({}) },
    async () => text(String(process.pid)));
  return server;
}

if (process.argv[2] === "http") {
  const handler = createMcpHandler(make);
  createServer(async (request, response) => {
    const body = request.method === "POST" ? { body: Readable.toWeb(request), duplex: "half" } : {};
    const url = "http://" + request.headers.host + request.url;
    const answer = await handler.fetch(new Request(url, { method: request.method, headers: request.headers, ...body }));
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body) Readable.fromWeb(answer.body).pipe(response);
    else response.end();
  }).listen(Number(process.env.PORT), "127.0.0.1", () => console.error("listening on port " + process.env.PORT));
} else {
  serveStdio(make);
}
