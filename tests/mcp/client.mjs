// A real MCP client (the official SDKs) in front of a real server, with and without the proxy between them.
// client.mjs CASE PROXY... : prints one JSON object; run_client.py judges it. Standard error is the server's.
import { once } from "node:events";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { CreateMessageRequestSchema, ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { Client as LaterClient } from "@modelcontextprotocol/client";
import { StdioClientTransport as LaterTransport } from "@modelcontextprotocol/client/stdio";

const [name, folder, ...proxy] = process.argv.slice(2);
const modules = new URL("./node_modules/@modelcontextprotocol/", import.meta.url).pathname;
const everything = [process.execPath, modules + "server-everything/dist/index.js", "stdio"];
const filesystem = [process.execPath, modules + "server-filesystem/dist/index.js", folder];
const own = [process.execPath, new URL("./server.mjs", import.meta.url).pathname];

function transport(command, kind = StdioClientTransport) {
  return new kind({ command: command[0], args: command.slice(1), stderr: "inherit", cwd: folder, env: process.env });
}

async function connected(command) {
  const client = new Client({ name: "lilith-test", version: "1" }, { capabilities: { sampling: {}, roots: {} } });
  client.setRequestHandler(CreateMessageRequestSchema, async (request) => ({
    model: "m", role: "assistant", content: { type: "text", text: "sampled " + request.params.maxTokens } }));
  client.setRequestHandler(ListRootsRequestSchema, async () => ({ roots: [{ uri: "file://" + folder, name: "work" }] }));
  await client.connect(typeof command === "function" ? command() : transport(command));
  return client;
}

async function refused(promise) {
  try {
    return { unexpected: await promise };
  } catch (error) {
    return { code: error.code, message: error.message };
  }
}

// Over HTTP to the server itself, or over standard input and output to the proxy.
async function http(Transport) {
  const url = new URL(proxy[proxy.indexOf("--url") + 1]);
  return { direct: await tour(() => new Transport(url)), through: await tour(proxy) };
}

async function tour(command) {
  const client = await connected(command);
  const progress = [];
  const seen = {
    version: client.getServerVersion(),
    tools: await client.listTools(),
    resources: await client.listResources(),
    prompts: await client.listPrompts(),
    echo: await client.callTool({ name: "echo", arguments: { message: "// café \n ../x" } }),
    sum: await client.callTool({ name: "get-sum", arguments: { a: 2, b: 40 } }),
    sampling: await client.callTool({ name: "trigger-sampling-request", arguments: { prompt: "p", maxTokens: 7 } }),
    roots: await client.callTool({ name: "get-roots-list", arguments: {} }),
    long: await client.callTool(
      { name: "trigger-long-running-operation", arguments: { duration: 0.1, steps: 2 } }, undefined,
      { onprogress: (one) => progress.push(one.progress) }),
  };
  seen.progress = progress;
  await client.close();
  return seen;
}

async function later(command) {
  const client = new LaterClient({ name: "later", version: "1" }, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
  await client.connect(transport(command, LaterTransport));
  const answer = {
    negotiated: client.getNegotiatedProtocolVersion?.(),
    tools: (await client.listTools()).tools.map((tool) => tool.name),
    allowed: await client.callTool({ name: "echo", arguments: { message: "x" } }),
    // Its server wants the argument in a header as well where there are headers.
    zone: await client.callTool({ name: "zone", arguments: { zone: "caf\u00e9" } }),
    denied: await client.callTool({ name: "big", arguments: { bytes: 1 } }),
  };
  await client.close();
  return answer;
}

const cases = {
  async everything() {
    const through = await tour([...proxy, ...everything]);
    return { direct: await tour(everything), through };
  },
  async denied() {
    const client = await connected([...proxy, ...everything]);
    const answer = {
      env: await client.callTool({ name: "get-env", arguments: {} }),
      resource: await refused(client.readResource({ uri: "file:///etc/passwd" })),
      still_alive: await client.callTool({ name: "echo", arguments: { message: "x" } }),
    };
    await client.close();
    return answer;
  },
  async filesystem() {
    const client = await connected([...proxy, ...filesystem]);
    const answer = {
      read: await client.callTool({ name: "read_text_file", arguments: { path: folder + "/note.txt" } }),
      write: await client.callTool({ name: "write_file", arguments: { path: folder + "/new.txt", content: "x" } }),
    };
    await client.close();
    return answer;
  },
  later_version: () => later([...proxy, ...own]),
  http: () => http(StreamableHTTPClientTransport),
  http_sse: () => http(SSEClientTransport),
  http_later: () => later(proxy),
  // A server that is told to end, by the client's own way of closing.
  async closing() {
    const client = await connected([...proxy, ...own]);
    const pid = Number((await client.callTool({ name: "pid", arguments: {} })).content[0].text);
    await client.close();
    for (let i = 0; i < 200; ++i) {
      try {
        process.kill(pid, 0);
      } catch {
        return { server_gone: true };
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return { server_gone: false };
  },
};

const text = JSON.stringify(await cases[name]());
if (!process.stdout.write(text + "\n")) await once(process.stdout, "drain");
process.exit(0);
