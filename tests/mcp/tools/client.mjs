// The client that the conformance suite tests: the official SDK's client over standard input and output, with
// `lilith mcp --url` as its server. client.mjs URL; the scenario's name and the program come by environment.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const url = process.argv[2];
const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lilith-conformance-"));
const policy = path.join(folder, "policy.yaml");
const port = new URL(url).port;
fs.writeFileSync(policy, `version: "1"
egress:
  default_action: deny
  allowed_destinations:
${["localhost", "127.0.0.1", "::1"].map((host) => `    - {host: "${host}", ports: [${port}], protocols: [http]}`).join("\n")}
tool_invocations:
  default_action: deny
  allowed_tools: [{name: mcp_tool, servers: [suite]}]
audit: {enabled: true, log_path: "${folder}/log/agent-audit.log"}
`);
const client = new Client({ name: "lilith-conformance", version: "1" },
  { capabilities: { elicitation: { form: { applyDefaults: true } } } });
client.setRequestHandler(ElicitRequestSchema, async () => ({ action: "accept", content: {} }));
try {
  await client.connect(new StdioClientTransport({
    command: process.env.LILITH, args: ["mcp", "--server", "suite", "--policy", policy, "--url", url],
    env: { PATH: process.env.PATH, HOME: folder, XDG_STATE_HOME: folder }, stderr: "inherit" }));
  const { tools } = await client.listTools();
  const calls = { tools_call: { a: 5, b: 3 }, "sse-retry": {}, "elicitation-sep1034-client-defaults": {} }[scenario];
  for (const tool of calls ? tools : []) console.log(await client.callTool({ name: tool.name, arguments: calls }));
  await client.close();
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
