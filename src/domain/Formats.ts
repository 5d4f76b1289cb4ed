/**
 * The formats of a form's strings, as JSON Schema means them. Each is checked in linear time.
 *
 * @since 0.1.0
 */

const days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

const isDate = (text: string): boolean => {
  const [, year, month, day] = (/^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? []).map(Number)
  if (year === undefined || month === undefined || day === undefined) return false
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day >= 1 && day <= (days[month - 1] ?? 0) + (leap ? 1 : 0)
}

/** RFC 3339, section 5.6; the 61st second exists only where UTC puts it. */
const isDateTime = (text: string): boolean => {
  const [, date = "", ...rest] = /^(.{10})t(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:z|([+-])(\d\d):(\d\d))$/i.exec(text) ?? []
  const [hour, minute, second] = rest.map(Number)
  const [, , , sign, offsetHour = "0", offsetMinute = "0"] = rest
  if (!isDate(date) || hour === undefined || minute === undefined || second === undefined) return false
  if (hour > 23 || minute > 59 || second > 60 || Number(offsetHour) > 23 || Number(offsetMinute) > 59) return false
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === "-" ? -1 : 1)
  const inUtc = (hour * 60 + minute - offset + 2 * 1440) % 1440
  return second < 60 || inUtc === 1439
}

const label = /^[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}-]{0,61}[\p{L}\p{N}\p{M}])?$/u

const isEmail = (text: string): boolean => {
  const at = text.lastIndexOf("@")
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)]
  const labels = domain.split(".")
  return at > 0 && at <= 64 && text.length <= 254 && labels.length > 1 && labels.every((each) => label.test(each)) &&
    /^[^\s@"(),:;<>[\\\]\p{Cc}]+$/u.test(local) && !local.startsWith(".") && !local.endsWith(".") &&
    !local.includes("..")
}

/** With a scheme, as RFC 3986 wants it of a URI. */
const isUri = (text: string): boolean =>
  /^[a-z][a-z0-9+.-]*:[^\s<>"{}|\\^`\p{Cc}]+$/iu.test(text) && !/%(?![0-9a-f]{2})/i.test(text) && URL.canParse(text)

/** @since 0.1.0 */
export const formats: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ["email", isEmail],
  ["uri", isUri],
  ["date", isDate],
  ["date-time", isDateTime]
])

/** An address that a person can be sent to: `http` or `https`, and nothing that only looks like it. @since 0.1.0 */
export const isWebAddress = (text: string): boolean => /^https?:\/\//i.test(text) && isUri(text)
