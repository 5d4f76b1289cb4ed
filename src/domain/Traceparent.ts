/**
 * Where a request stands in its caller's trace, as the header `traceparent` tells it.
 *
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/** @since 0.1.0 */
export const Traceparent = Schema.String.pipe(
  Schema.pattern(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/),
  Schema.filter((text) => !/^ff|-0{32}-|-0{16}-/.test(text)),
  Schema.brand("Traceparent")
)
/** @since 0.1.0 */
export type Traceparent = typeof Traceparent.Type

/** What a header says; as the specification wants, one that makes no sense says nothing. @since 0.1.0 */
export const fromHeader = Schema.decodeUnknownOption(Traceparent)

/** @since 0.1.0 */
export const parts = (
  traceparent: Traceparent
): { readonly traceId: string; readonly spanId: string; readonly sampled: boolean } => ({
  traceId: traceparent.slice(3, 35),
  spanId: traceparent.slice(36, 52),
  sampled: (Number.parseInt(traceparent.slice(53), 16) & 1) === 1
})
