/** The command `outcrop`: its subcommands and flags. Handlers are imported when they are called, so that `--help` starts fast. */
import { availableParallelism } from "node:os"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import { CommandError } from "./error.ts"
import { version } from "./version.ts"

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0)
  throw error
})
let interrupts = 0
process.on("SIGINT", () => {
  if (++interrupts === 1) process.stderr.write("\nstopping; what is finished is kept (Ctrl-C again to stop at once)\n")
  else process.exit(130)
})

const text = (name: string, description: string) => Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))
const toggle = (name: string, description: string) => Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))
const many = (name: string, description: string) => Flag.String(name).pipe(Flag.withDescription(description), Flag.atLeast(0))
const words = Argument.String("words").pipe(Argument.withDescription("pipeline.yaml, axis=value to pick cells, a stage, stage.port or task.metric"), Argument.variadic())

const session = {
  words,
  cache: text("cache", "folder of the cache (default: OUTCROP_CACHE, else .outcrop beside the YAML)"),
  data: text("data", "folder of the data, instead of the YAML's data.root"),
  set: many("set", "axis=value[,value]: replaces the values of an axis"),
  backend: text("backend", "numeric engine of training stages: wasm, onnx or tfjs; each takes the best that it can run on"),
  json: toggle("json", "print one JSON document")
}
const planning = {
  ...session,
  force: many("force", "a stage to run even where its result is cached"),
  rehash: toggle("rehash", "read files anew instead of trusting size and times")
}

const run = Command.make("run", {
  ...planning,
  jobs: Flag.Int("jobs").pipe(Flag.withAlias("j"), Flag.withDescription("worker threads (default: the cores)"), Flag.withDefault(availableParallelism())),
  memory: Flag.String("memory").pipe(Flag.withDescription("large tables to hold in memory"), Flag.withDefault("1GB")),
  failFast: toggle("fail-fast", "stop at the first failure"),
  keepGoing: toggle("keep-going", "go on with independent work after a failure (the default)"),
  events: toggle("events", "print progress as NDJSON")
}, Effect.fn(function*(flags) {
  if (flags.failFast && flags.keepGoing) return yield* new CommandError({ message: "--fail-fast and --keep-going exclude each other", code: 2 })
  const { runCommand } = yield* Effect.promise(() => import("./run.ts"))
  yield* runCommand(flags)
})).pipe(Command.withDescription("bring a pipeline up to date: run what changed, show the comparison"))

const plan = Command.make("plan", planning, Effect.fn(function*(flags) {
  const { planCommand } = yield* Effect.promise(() => import("./plan.ts"))
  yield* planCommand(flags)
})).pipe(Command.withDescription("what a run would do, and what it would cost, without running it"))

const status = Command.make("status", session, Effect.fn(function*(flags) {
  const { statusCommand } = yield* Effect.promise(() => import("./status.ts"))
  yield* statusCommand(flags)
})).pipe(Command.withDescription("which results are there, which are missing or outdated"))

const why = Command.make("why", planning, Effect.fn(function*(flags) {
  const { whyCommand } = yield* Effect.promise(() => import("./why.ts"))
  yield* whyCommand(flags)
})).pipe(Command.withDescription("why nodes run, or last ran: which part of their key changed"))

const table = Command.make("table", session, Effect.fn(function*(flags) {
  const { tableCommand } = yield* Effect.promise(() => import("./table.ts"))
  yield* tableCommand(flags)
})).pipe(Command.withDescription("the comparison: methods x metrics, mean and sd over replicates"))

const get = Command.make("get", {
  ...session,
  output: Flag.String("output").pipe(Flag.withAlias("o"), Flag.withDescription("file to write: .arrow, .parquet, .csv or .json by its ending (default: CSV to the terminal)"), Flag.optional, Flag.map(Option.getOrUndefined))
}, Effect.fn(function*(flags) {
  const { getCommand } = yield* Effect.promise(() => import("./get.ts"))
  yield* getCommand(flags)
})).pipe(Command.withDescription("a table of one node: outcrop get train.embeddings method=dtl fold=0 -o x.parquet"))

const logs = Command.make("logs", session, Effect.fn(function*(flags) {
  const { logsCommand } = yield* Effect.promise(() => import("./logs.ts"))
  yield* logsCommand(flags)
})).pipe(Command.withDescription("when each result was made, how long it took, and what its stage said"))

const stages = Command.make("stages", { name: Argument.String("stage").pipe(Argument.optional, Argument.map(Option.getOrUndefined)), json: session.json }, Effect.fn(function*(flags) {
  const { stagesCommand } = yield* Effect.promise(() => import("./stages.ts"))
  yield* stagesCommand(flags)
})).pipe(Command.withDescription("the built-in stages, or one of them with its ports and parameters"))

const schema = Command.make("schema", {}, Effect.fn(function*() {
  const { pipelineJsonSchema } = yield* Effect.promise(() => import("../schemas/pipeline.ts"))
  yield* Console.log(JSON.stringify(pipelineJsonSchema(), null, 2))
})).pipe(Command.withDescription("the JSON Schema of pipeline files, for editors"))

const init = Command.make("init", { folder: Argument.String("folder").pipe(Argument.withDefault(".")) }, Effect.fn(function*(flags) {
  const { initCommand } = yield* Effect.promise(() => import("./init.ts"))
  yield* initCommand(flags.folder)
})).pipe(Command.withDescription("make a folder with a first pipeline that runs"))

const outcrop = Command.make("outcrop").pipe(
  Command.withDescription("declare a grid of embedding experiments in YAML, run it once, rerun only what changed"),
  Command.withSubcommands([run, plan, status, why, table, get, logs, stages, schema, init])
)

/** Usage errors in two lines, not the whole help. */
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation" ?
      Console.error(`${event.errors.map((error) => `error: ${error.message}`).join("\n")}\nTry '${event.commandPath.join(" ")} --help'.`) :
      CliOutput.defaultPresenter.present(event)
}

outcrop.pipe(
  Command.run({ version }),
  Effect.catchDefect((defect) => Effect.flatMap(Effect.promise(() => import("./session.ts")), ({ damagedIndex }) => Effect.fail(
    damagedIndex(defect) ?? new CommandError({ message: `outcrop met an error that it does not know; please report it.\n${defect instanceof Error ? defect.stack ?? defect.message : String(defect)}`, code: 1 })
  ))),
  Effect.tapError((error) => error instanceof CommandError ? Console.error(error.message) : Effect.void),
  // a wrong invocation was shown by the presenter; it ends as any wrong input does
  Effect.mapError((error) => CliError.isCliError(error) && error._tag === "ShowHelp" && error.errors.length > 0 ? new CommandError({ message: "", code: 2 }) : error),
  Effect.provide(Layer.mergeAll(
    NodeServices.layer,
    CliOutput.layerPresenter(presenter),
    CliOutput.layer(CliOutput.defaultFormatter({ globalFlags: "summary" })),
    CliConfig.layer({ builtIns: GlobalFlag.BuiltIns.filter((flag) => flag !== GlobalFlag.Wizard && flag !== GlobalFlag.LogLevel) })
  )),
  NodeRuntime.runMain
)
