/** A file's path: its name first for the eye, the whole of it for who asks. */
export const Path = ({ line, path }: { readonly path: string; readonly line?: number | null | undefined }) => {
  const cut = path.replace(/\/+$/, "").lastIndexOf("/") + 1
  return (
    <span class="path" title={path}>
      <span class="folder">{path.slice(0, cut)}</span>
      <span class="name">{path.slice(cut)}{line == null ? "" : `:${line}`}</span>
    </span>
  )
}
