// A server of the official SDK, for both eras of the protocol, whose answers may be as large as one likes.
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

const text = (value) => ({ content: [{ type: "text", text: value }] });

serveStdio(() => {
  const server = new McpServer({ name: "lilith-test-server", version: "1" }, { capabilities: { tools: {} } });
  server.registerTool("echo", { description: "Says it again", inputSchema: z.object({ message: z.string() }) },
    async ({ message }) => text(message));
  server.registerTool("big", { description: "Says much", inputSchema: z.object({ bytes: z.number() }) },
    async ({ bytes }) => text("x".repeat(bytes)));
  server.registerTool("pid", { description: "Says who it is", inputSchema: z.object({}) },
    async () => text(String(process.pid)));
  return server;
});
