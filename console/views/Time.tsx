/** A time of day, with its date for who asks. */
const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" })
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" })

export const Time = ({ at }: { readonly at: string }) => {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return null
  return <time dateTime={at} title={full.format(date)}>{time.format(date)}</time>
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" })

/** `now`, `5 min. ago`, `yesterday`. */
export const ago = (at: string, now: number): string => {
  const seconds = Math.round((Date.parse(at) - now) / 1000)
  if (Number.isNaN(seconds)) return ""
  if (seconds > -45) return "now"
  if (seconds > -3_600) return relative.format(Math.round(seconds / 60), "minute")
  return seconds > -86_400
    ? relative.format(Math.round(seconds / 3_600), "hour")
    : relative.format(Math.round(seconds / 86_400), "day")
}
