/**
 * The text of stages' code, kept in the store with the first result that it gives, under the digest by which keys name it: what code made a
 * number can be read and compared long after its file has changed.
 */
import * as fs from "node:fs"
import type { Document } from "../cache/canonical.ts"
import { Corrupt } from "../cache/error.ts"
import { digestBytes, type Store } from "../cache/store.ts"
import type { Implementation } from "./library.ts"

/** The digest of the closure in the code's part of a key; undefined for programs (`<kind>/command`), which have none. */
export const closureOf = (code: Document | undefined): string | undefined => {
  const closure = typeof code === "object" && code !== null && "closure" in code ? code.closure : undefined
  return typeof closure === "string" ? closure : undefined
}

/** Keeps the text of an implementation, if the store lacks it. */
export const keepClosure = (store: Store, { code, file }: Implementation): void => {
  const digest = closureOf(code)
  if (digest === undefined || store.hasBlob(digest)) return
  const text = fs.readFileSync(file)
  // a rebuild since it was loaded has put another text there
  if (digestBytes(text) === digest) store.putBlob(text)
}

/** The text of a closure; undefined where it was not kept, or is lost or damaged. */
export const closureText = (store: Store, digest: string): string | undefined => {
  try {
    const bytes = store.blob(digest)
    return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8")
  } catch (cause) {
    if (cause instanceof Corrupt) return undefined
    throw cause
  }
}
