/**
 * The floors of docs/architecture.md as rules: an import only ever points down. `npm run lint:floors` checks them.
 *
 * Type-only imports count: a room that names another's types knows that room.
 */
const agents = "agent/Agent\\.ts$" // the driver contract, without any driver
const api = ["gateway/(Api|GatewayError)\\.ts$", "domain/"] // what a client and a gateway have to agree on
const floors = {
  "domain/": [],
  "log/": ["domain/"],
  "lifecycle/": ["domain/"],
  "telemetry/": ["log/", "domain/"],
  "agent/": ["lifecycle/", "log/", "domain/"],
  "session/": [agents, "lifecycle/", "log/", "domain/"],
  "gateway/": ["session/", agents, "telemetry/", "lifecycle/", "log/", "domain/"],
  // docs/decisions/0001-scripted-agent-implements-the-driver-contract.md says why it knows the driver contract
  "testing/": [agents, "lifecycle/", "domain/"],
  "client/": api,
  "client/plain/": ["client/(EventText|Resume)\\.ts$", "domain/"],
  "cli/": ["client/", "gateway/", "session/", "agent/", "telemetry/", "lifecycle/", "log/", "domain/"],
  "main\\.ts$": ["cli/", "gateway/", "session/", "agent/", "telemetry/", "lifecycle/", "log/", "domain/"],
  "index\\.ts$": ["gateway/", "session/", "agent/", "telemetry/", "lifecycle/", "log/", "domain/"]
}

const inside = (paths) => `^src/(${paths.join("|")})`

const floor = ([room, below]) => ({
  name: `floor: ${room.replace(/\\|\$/g, "")}`,
  severity: "error",
  comment: `src/${room} may import ${below.length === 0 ? "nothing" : below.join(", ")} of src`,
  from: { path: inside([room]) },
  to: { path: "^src/", pathNot: inside([room, ...below]) }
})

/** What these packages do is done in one room; elsewhere it stands behind an interface. */
const only = (name, packages, rooms) => ({
  name: `only in its room: ${name}`,
  severity: "error",
  from: { path: "^src/", pathNot: inside(rooms) },
  to: { path: packages }
})

module.exports = {
  forbidden: [
    ...Object.entries(floors).map(floor),
    {
      name: "every file stands in a room",
      severity: "error",
      from: { path: "^src/", pathNot: inside(Object.keys(floors)) },
      to: {}
    },
    {
      name: "a driver knows no other driver",
      severity: "error",
      comment: "agent/process is no driver: it is what drivers that start a child process share",
      from: { path: "^src/agent/([^/]+)/" },
      to: { path: "^src/agent/[^/]+/", pathNot: "^src/agent/($1|process)/" }
    },
    {
      name: "the driver contract knows no driver",
      severity: "error",
      from: { path: "^src/agent/[^/]+\\.ts$" },
      to: { path: "^src/agent/[^/]+/" }
    },
    {
      name: "domain is data",
      severity: "error",
      comment: "effect and nothing else, not even Node",
      from: { path: "^src/domain/" },
      to: { pathNot: ["^src/", "^node_modules/effect/"] }
    },
    only("HTTP and sockets", "^node_modules/@effect/platform(-node)?(-shared)?/.*/(Node)?(Http|Socket|Multipart)", [
      "gateway/",
      "client/",
      "cli/",
      "agent/agentctl/",
      "lifecycle/stream/",
      "agent/agui/(AguiAgent|Wire)\\.ts$"
    ]),
    only("HTTP and sockets of Node", "^(node:)?(http|https|http2|net|tls)$|^node_modules/(ws|undici)/", [
      "gateway/",
      "cli/",
      "lifecycle/stream/",
      "testing/FaultyNetwork\\.ts$"
    ]),
    {
      name: "the plain client brings nothing along",
      severity: "error",
      comment: "it is bundled for browsers: fetch, a parser of event streams, and types",
      from: { path: "^src/client/(plain/|Resume|EventText)" },
      to: { pathNot: "^(src/client/|node_modules/eventsource-parser/)", dependencyTypesNot: ["type-only"] }
    },
    only("SQL", "^node_modules/(@effect/sql|better-sqlite3)", ["log/"]),
    only("command line", "^node_modules/@effect/(cli|printer)", ["cli/", "main\\.ts$"]),
    only("the Agent Client Protocol", "^node_modules/@agentclientprotocol/", [
      "agent/acp/",
      "gateway/acp/",
      "cli/demo/"
    ]),
    only("the Model Context Protocol", "^node_modules/@modelcontextprotocol/", ["agent/loop/mcp/"]),
    { name: "no cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "the console knows the domain's types and nothing else of src",
      severity: "error",
      comment: "what it takes from src must cost the browser nothing",
      from: { path: "^console/" },
      to: { path: "^src/", pathNot: "^src/domain/" }
    },
    {
      name: "the console takes types from the domain, and no values",
      severity: "error",
      from: { path: "^console/" },
      to: { path: "^src/domain/", dependencyTypesNot: ["type-only"] }
    },
    {
      name: "the console runs in a browser",
      severity: "error",
      from: { path: "^console/", pathNot: "^console/vite\\.config\\.js$" },
      to: { dependencyTypes: ["core"] }
    },
    {
      name: "src knows no test and no page",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench|docs|scripts|console)/" }
    },
    { name: "everything resolves", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "src needs only what users install",
      severity: "error",
      comment:
        "the program is one file with what it needs in it: users install no telemetry and no provider's package for it",
      from: { path: "^src/", pathNot: "^src/(testing/vitest|client/agui|cli/(Telemetry|Collector|loop/Models))\\.ts$" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["type-only"] }
    },
    ...[["testing/vitest", "vitest|@effect/vitest"], ["client/agui", "@ag-ui/client"]].map(([module, peers]) => ({
      name: `holdfast/${module} needs only what users install`,
      severity: "error",
      comment: `${peers} are optional peers: who imports it has them`,
      from: { path: `^src/${module}\\.ts$` },
      to: {
        path: "^node_modules/",
        pathNot: `^node_modules/(${peers})/`,
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["type-only"]
      }
    }))
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] }
  }
}
