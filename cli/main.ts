/** The entry of the command: the compiled code of everything after this line is kept between runs, which halves the start. */
import { enableCompileCache } from "node:module"

enableCompileCache()
await import("./commands.ts")
