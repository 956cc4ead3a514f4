import * as fs from "node:fs"
import { join } from "node:path"
import { root } from "../engine/installation.ts"

/** The version of outcrop, from its package.json. */
export const { version } = JSON.parse(fs.readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string }
