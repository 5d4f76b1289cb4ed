/**
 * The client of a gateway, published as `holdfast/client`. It runs in Node and in browsers.
 *
 * - `Client`: for Effect programs, a service with the whole HTTP API and a `Stream` of events.
 * - `createClient`: for everybody else, with promises and an async iterator; it brings none of Effect along.
 *
 * @since 0.1.0
 */
export * as Client from "./Client.js"
export {
  /** @since 0.1.0 */
  type CallOptions,
  /** @since 0.1.0 */
  type Client as PlainClient,
  /** @since 0.1.0 */
  type ClientOptions,
  /** @since 0.1.0 */
  createClient
} from "./plain/createClient.js"
export {
  /** @since 0.1.0 */
  type EventsOptions
} from "./plain/events.js"
export {
  /** @since 0.1.0 */
  HoldfastError
} from "./plain/HoldfastError.js"
/** @since 0.1.0 */
export type * from "./plain/types.js"
