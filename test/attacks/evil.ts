/* eslint-disable no-control-regex */
/** What must reach no terminal, each with what it would do there. */
export const forbidden: Readonly<Record<string, RegExp>> = {
  "sets the clipboard, the title or a link": /\u001b\]/,
  "is a command of 8 bits": /[\u0080-\u009f]/,
  "clears the screen": /\u001b\[[23]J/,
  "moves to the top": /\u001b\[\d+;\d+H/,
  "hides text": /\u001b\[8m/,
  "asks the terminal, which answers as if the user had typed": /\u001b\[[56]n|\u001b\[c|\u001bP|\u001bZ/,
  "rings or goes back": /[\u0007\u0008]/,
  "turns the order of letters around": /[\u202a-\u202e\u2066-\u2069]/
}

/** The text, and in it everything that is forbidden, and what a page would run. */
export const evil = (name: string): string =>
  `${name}-begins\u001b]52;c;ZXZpbA==\u0007\u001b]0;owned\u001b\\\u001b]8;;http://evil.example\u0007` +
  `\u009b31m\u009d0;owned\u009c\u001b[2J\u001b[1;1H\u001b[8m\u001b[6n\u001b[c\u001bPx\u001b\\\u0008\u0007` +
  `\u202egpj\u202c\u2066x\u2069<img src=x onerror=alert(1)>-${name}-ends`
