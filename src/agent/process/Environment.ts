/**
 * What an agent sees of the gateway's environment: only what a program needs to find itself, its user, its language and the network.
 * Everything else, the gateway's own secrets above all, has to be given by the configuration.
 *
 * @since 0.1.0
 */

const names = new Set([
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LANGUAGE",
  "TERM",
  "COLORTERM",
  "TMPDIR",
  "TZ",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "all_proxy",
  "no_proxy"
])

const prefixes = ["LC_", "XDG_"]

/** Whether a variable is passed on without being asked for. @since 0.1.0 */
export const isInherited = (name: string): boolean =>
  names.has(name) || prefixes.some((prefix) => name.startsWith(prefix))

/** The allowed part of `environment`, and on top what is given. @since 0.1.0 */
export const make = (
  given: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string | undefined>> = process.env
): Record<string, string> => {
  const inherited = Object.entries(environment).flatMap(([name, value]) =>
    value !== undefined && isInherited(name) ? [[name, value] as const] : []
  )
  return { ...Object.fromEntries(inherited), ...given }
}
