/** The entry of the command: the compiled code of everything after this line is kept between runs, which halves the start. */
import { enableCompileCache } from "node:module"

enableCompileCache()
// node:sqlite works; that it is called experimental is nothing a user could act on
const { emitWarning } = process
process.emitWarning = (warning: string | Error, ...rest: ReadonlyArray<unknown>) => {
  if (!String(warning).includes("SQLite")) Reflect.apply(emitWarning, process, [warning, ...rest])
}
const [{ runMain }, { program }] = await Promise.all([import("@effect/platform-node/NodeRuntime"), import("./commands.ts")])
runMain(program(process.argv.slice(2)))
