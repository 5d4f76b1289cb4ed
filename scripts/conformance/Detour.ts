/**
 * Stands before a host's control server and leads every instance that it creates through a `FaultyNetwork`, so that the real host's streams
 * can be cut.
 */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { FaultyNetwork } from "holdfast/testing"
import * as http from "node:http"

export const make = Effect.fnUntraced(function*(target: string) {
  /** The last one leads to the instance that was made last. */
  const networks: Array<FaultyNetwork.FaultyNetwork> = []
  const scope = yield* Effect.scope
  const runtime = yield* Effect.runtime<never>()
  const through = (port: number) =>
    Runtime.runPromise(runtime)(
      Effect.map(FaultyNetwork.make({ port }).pipe(Effect.provideService(Scope.Scope, scope)), (network) => {
        networks.push(network)
        return network.port
      })
    )

  let authorization = ""
  const server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
      const headers = Object.entries(request.headers).flatMap(([name, value]): Array<[string, string]> =>
        typeof value === "string" && !["host", "connection", "content-length"].includes(name) ? [[name, value]] : []
      )
      authorization = request.headers.authorization ?? authorization
      const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }
      void fetch(`${target}${request.url}`, { method: request.method ?? "GET", headers, ...body }).then(
        async (answer) => {
          const text = await answer.text()
          const made = request.method === "POST" && request.url === "/api/v1/instances" && answer.status === 201
          const created: { port: number } = made ? JSON.parse(text) : { port: 0 }
          const told = made ? JSON.stringify({ ...created, port: await through(created.port) }) : text
          response.writeHead(answer.status, { "content-type": "application/json" }).end(told)
        },
        () => response.destroy()
      )
    })
  })
  yield* Effect.acquireRelease(
    Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const address = server.address()
  const port = address !== null && typeof address === "object" ? address.port : 0
  /** Those of a session, asked with the driver's own token. */
  const instances = (session: string) =>
    Effect.promise(async () => {
      const answer = await fetch(`${target}/api/v1/instances`, { headers: { authorization } })
      const told: { instances: ReadonlyArray<{ id: string; session_id: string }> | null } = JSON.parse(
        await answer.text()
      )
      return (told.instances ?? []).flatMap(({ id, session_id }) => session_id === session ? [id] : [])
    })
  return { url: `http://127.0.0.1:${port}`, networks, instances }
})
