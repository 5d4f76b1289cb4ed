/**
 * Effect's house style (the dprint options and rules of the Effect repository) and, for `src`, the bans that keep Holdfast's
 * promises checkable: time comes from `Clock`, chance from `Random` and `IdSource`, concurrency is structured, effects run at one place.
 *
 * No rule here needs type information: floating Effects and the like are found by `effect-language-service`, which is faster.
 */
import effect from "@effect/eslint-plugin"
import js from "@eslint/js"
import tseslint from "typescript-eslint"

const bans = {
  clock: {
    message: "time comes from Clock (or DateTime.now), so that tests can set it",
    selectors: [
      "MemberExpression[object.name='Date'][property.name='now']",
      "MemberExpression[object.name='performance'][property.name='now']",
      "NewExpression[callee.name='Date'][arguments.length=0]"
    ]
  },
  chance: {
    message: "chance comes from Random and ids from IdSource, so that tests are repeatable",
    selectors: [
      "MemberExpression[object.name='Math'][property.name='random']",
      "MemberExpression[property.name=/^random(UUID|Bytes|Int)$/]",
      "MemberExpression[property.name='getRandomValues']",
      "ImportSpecifier[imported.name=/^random(UUID|Bytes|Int)$/]"
    ]
  },
  timers: {
    message: "a timer belongs to a fiber: Effect.sleep, Effect.schedule, Effect.timeout",
    selectors: [
      "CallExpression[callee.name=/^set(Timeout|Interval|Immediate)$/]",
      "MemberExpression[property.name=/^set(Timeout|Interval|Immediate)$/][object.name=/^(globalThis|global|timers)$/]",
      "ImportDeclaration[source.value=/^(node:)?timers/]"
    ]
  },
  promises: {
    message: "a Promise knows no scope and no interruption: Effect.async, Effect.tryPromise, Deferred",
    selectors: [
      "NewExpression[callee.name='Promise']",
      "CallExpression[callee.property.name='then']",
      ":function[async=true]"
    ]
  },
  run: {
    message:
      "effects run in src/main.ts only; an adapter that is called back uses FiberSet.runtime or a captured Runtime",
    selectors: [
      "MemberExpression[object.name=/^(Effect|Runtime|Micro)$/][property.name=/^run(Fork|Callback|Promise|Sync)/]",
      "MemberExpression[property.name='runMain']",
      "MemberExpression[object.name='ManagedRuntime'][property.name='make']"
    ]
  },
  daemons: {
    message: "a daemon outlives its scope: Effect.forkScoped, Effect.forkIn, FiberSet",
    selectors: ["MemberExpression[property.name=/^(forkDaemon|daemonChildren)$/]"]
  },
  service: {
    message: "a service is a Context.Tag class with make and layer…",
    selectors: ["MemberExpression[object.name='Effect'][property.name='Service']"]
  }
}

/** Where a platform forces what is banned elsewhere. Each line says what forces it. */
const exemptions = [
  { files: ["src/main.ts"], allow: ["run"], because: "the one place where effects run" },
  { files: ["src/domain/Ids.ts"], allow: ["chance"], because: "the default IdSource" },
  { files: ["src/gateway/Credentials.ts"], allow: ["chance"], because: "a ticket is a secret and no id" },
  {
    files: ["src/client/plain/*.ts"],
    allow: ["clock", "chance", "timers", "promises"],
    because: "it is for programs without Effect and brings none of it along"
  },
  {
    files: ["src/client/agui.ts"],
    allow: ["chance", "timers", "promises"],
    because: "it is for programs without Effect and brings none of it along"
  },
  {
    files: ["src/agent/acp/AcpRpc.ts"],
    allow: ["timers", "promises"],
    because: "the SDK speaks Promise, and only the event loop knows when its handlers have run"
  },
  {
    files: ["src/agent/acp/AcpFiles.ts"],
    allow: ["promises"],
    because: "a descriptor that is opened without following links; FileSystem has no such flags"
  },
  {
    files: ["src/log/LiveEdge.ts"],
    allow: ["timers"],
    because: "only the event loop knows when all that is ready has come; a fiber for it would cost more than the wave"
  },
  {
    files: ["src/testing/interleave/Run.ts"],
    allow: ["run"],
    because: "the program under exploration runs under a scheduler of its own"
  },
  {
    files: ["src/testing/leak/RealTime.ts"],
    allow: ["clock", "timers"],
    because: "a leak checker waits in real time, also where a test has another clock"
  },
  {
    files: ["src/testing/vitest.ts"],
    allow: ["run", "promises"],
    because: "a hook of vitest is given a Promise"
  },
  {
    files: ["src/lifecycle/StreamManager.ts"],
    allow: ["run"],
    because:
      "a stream's fiber starts in the step that registers it, with the manager's FiberRefs; Effect.fork is a step of its own"
  }
]

const restricted = (allow = []) => [
  "error",
  {
    selector: "CallExpression[callee.property.name='push'] > SpreadElement.arguments",
    message: "Do not use spread arguments in Array.push"
  },
  ...Object.entries(bans).flatMap(([name, { message, selectors }]) =>
    allow.includes(name) ? [] : selectors.map((selector) => ({ selector, message }))
  )
]

export default tseslint.config(
  { ignores: ["dist/", "coverage/", "**/.holdfast/"] },
  js.configs.recommended,
  tseslint.configs.recommended,
  effect.configs.dprint,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: "module" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "no-undef": "off", // TypeScript's job
      "no-fallthrough": "off",
      "no-irregular-whitespace": "off",
      "object-shorthand": "error",
      "require-yield": "off",
      "prefer-rest-params": "off",
      "prefer-spread": "off",
      "no-restricted-imports": ["error", {
        patterns: [{
          regex: "^(effect|@effect/(?!vitest$|eslint-plugin$)[^/]+)$",
          message: "import the module: import * as Effect from \"effect/Effect\""
        }]
      }],
      "@typescript-eslint/array-type": ["error", { default: "generic", readonly: "generic" }],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/no-empty-object-type": "off",
      "@typescript-eslint/no-namespace": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@effect/dprint": ["error", {
        config: {
          indentWidth: 2,
          lineWidth: 120,
          semiColons: "asi",
          quoteStyle: "alwaysDouble",
          trailingCommas: "never",
          operatorPosition: "maintain",
          "arrowFunction.useParentheses": "force"
        }
      }]
    }
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      "no-console": "error",
      "@typescript-eslint/ban-ts-comment": "error",
      "@typescript-eslint/consistent-type-assertions": ["error", { assertionStyle: "never" }],
      "@typescript-eslint/no-non-null-assertion": "error",
      "no-restricted-syntax": restricted()
    }
  },
  {
    files: ["console/**/*.{ts,tsx}"],
    rules: {
      "no-console": "error",
      "@typescript-eslint/ban-ts-comment": "error",
      "@typescript-eslint/consistent-type-assertions": ["error", { assertionStyle: "never" }],
      "@typescript-eslint/no-non-null-assertion": "error",
      "no-restricted-syntax": ["error", {
        selector: [
          "JSXAttribute[name.name=/^(dangerouslySetInnerHTML|srcdoc|srcDoc)$/]",
          "Property[key.name='dangerouslySetInnerHTML']",
          "MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML|srcdoc)$/]",
          "MemberExpression[object.name='document'][property.name='write']",
          "CallExpression[callee.name=/^(eval|Function)$/]"
        ].join(", "),
        message: "what an agent says is text: elements are made of it, and never HTML"
      }]
    }
  },
  // of a defect nobody is left to tell but the console
  { files: ["src/main.ts"], rules: { "no-console": "off" } },
  exemptions.map(({ allow, files }) => ({ files, rules: { "no-restricted-syntax": restricted(allow) } }))
)
