/**
 * An agent's Markdown as elements. No HTML is ever made of it: `marked` only takes the text apart, and each part becomes an element
 * here, so what is not in this file cannot come out of it. HTML in the text is shown as the text that it is.
 */
import { marked, type Token, type Tokens } from "marked"
import type { ComponentChildren } from "preact"
import { Code } from "./Code.js"
import { ExternalLink, safeHref } from "./Link.js"

const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: "\"", apos: "'", nbsp: "\u00a0" }

/** What Markdown calls an entity is a character; it stands for no markup. */
const decode = (text: string): string =>
  text.includes("&")
    ? text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(\w{2,6}));/g, (whole, decimal, hex, name) => {
      if (name !== undefined) return Object.hasOwn(named, name) ? named[name] ?? whole : whole
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)
      return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : whole
    })
    : text

const link = (href: string, children: ComponentChildren) => {
  const safe = safeHref(decode(href))
  return safe === undefined ? <>{children}</> : <ExternalLink href={safe}>{children}</ExternalLink>
}

/** The types of marked's tokens are a union with an open member: what is looked for is told apart by `type` alone. */
const is = <Type extends Tokens.Generic["type"], T extends Token>(
  token: Token,
  type: Type
): token is T & { type: Type } => token.type === type

const inline = (tokens: ReadonlyArray<Token> | undefined): ComponentChildren => tokens?.map(inlineOne)

const inlineOne = (token: Token): ComponentChildren => {
  if (is<"strong", Tokens.Strong>(token, "strong")) return <strong>{inline(token.tokens)}</strong>
  if (is<"em", Tokens.Em>(token, "em")) return <em>{inline(token.tokens)}</em>
  if (is<"del", Tokens.Del>(token, "del")) return <del>{inline(token.tokens)}</del>
  if (is<"codespan", Tokens.Codespan>(token, "codespan")) return <code>{token.text}</code>
  if (is<"br", Tokens.Br>(token, "br")) return <br />
  if (is<"link", Tokens.Link>(token, "link")) return link(token.href, inline(token.tokens))
  // an image of the agent's choice would call a host of the agent's choice
  if (is<"image", Tokens.Image>(token, "image")) return link(token.href, token.text === "" ? token.href : token.text)
  if (is<"checkbox", Tokens.Checkbox>(token, "checkbox")) return null
  if (is<"text", Tokens.Text>(token, "text") && token.tokens !== undefined) return inline(token.tokens)
  if (is<"html", Tokens.HTML>(token, "html")) return token.raw
  return "text" in token && typeof token.text === "string" ? decode(token.text) : token.raw
}

const Heading = ({ children, depth }: { readonly depth: number; readonly children: ComponentChildren }) => {
  // below the session's title, whatever the agent thinks of itself
  switch (depth) {
    case 1:
      return <h3>{children}</h3>
    case 2:
      return <h4>{children}</h4>
    default:
      return <h5>{children}</h5>
  }
}

const List = ({ token }: { readonly token: Tokens.List }) => {
  const items = token.items.map((item, index) => (
    <li key={index} class={item.task ? "task" : undefined}>
      {item.task && (
        <span class="box" role="img" aria-label={item.checked === true ? "done" : "open"}>
          {item.checked === true ? "☑" : "☐"}
        </span>
      )}
      {blocks(item.tokens)}
    </li>
  ))
  const start = typeof token.start === "number" && token.start !== 1 ? { start: token.start } : {}
  return token.ordered ? <ol {...start}>{items}</ol> : <ul>{items}</ul>
}

const Table = ({ token }: { readonly token: Tokens.Table }) => {
  const align = (cell: Tokens.TableCell) => cell.align === null ? undefined : `align-${cell.align}`
  return (
    <div class="table" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>{token.header.map((cell, index) => <th key={index} class={align(cell)}>{inline(cell.tokens)}</th>)}</tr>
        </thead>
        <tbody>
          {token.rows.map((row, index) => (
            <tr key={index}>{row.map((cell, at) => <td key={at} class={align(cell)}>{inline(cell.tokens)}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const block = (token: Token, key: number): ComponentChildren => {
  if (is<"paragraph", Tokens.Paragraph>(token, "paragraph")) return <p key={key}>{inline(token.tokens)}</p>
  if (is<"heading", Tokens.Heading>(token, "heading")) {
    return <Heading key={key} depth={token.depth}>{inline(token.tokens)}</Heading>
  }
  if (is<"code", Tokens.Code>(token, "code")) {
    return <Code key={key} text={token.text} language={token.lang?.split(/\s/)[0] ?? ""} />
  }
  if (is<"list", Tokens.List>(token, "list")) return <List key={key} token={token} />
  if (is<"blockquote", Tokens.Blockquote>(token, "blockquote")) {
    return <blockquote key={key}>{blocks(token.tokens)}</blockquote>
  }
  if (is<"table", Tokens.Table>(token, "table")) return <Table key={key} token={token} />
  if (is<"hr", Tokens.Hr>(token, "hr")) return <hr key={key} />
  if (is<"html", Tokens.HTML>(token, "html")) return <p key={key} class="literal">{token.raw.trimEnd()}</p>
  if (token.type === "space" || token.type === "def") return null
  return inlineOne(token)
}

const blocks = (tokens: ReadonlyArray<Token>): ComponentChildren => tokens.map(block)

/** What it throws at a text that is nested deeper than the stack is for the caller, who has the text itself. */
export const render = (text: string): ComponentChildren => blocks(marked.lexer(text, { gfm: true }))
