/** The command `outcrop`: its subcommands and flags. Handlers are imported when they are called, so that `--help` starts fast. */
import { availableParallelism } from "node:os"
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
  memory: Flag.String("memory").pipe(Flag.withDescription("large tables to hold in memory (default: 1GB)"), Flag.withDefault("1GB")),
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

const status = Command.make("status", { ...session, runs: toggle("runs", "the runs on record instead; the pipeline's file need not be there") }, Effect.fn(function*(flags) {
  const { statusCommand } = yield* Effect.promise(() => import("./status.ts"))
  yield* statusCommand(flags)
})).pipe(Command.withDescription("which results are there, which are missing or outdated"))

const why = Command.make("why", planning, Effect.fn(function*(flags) {
  const { whyCommand } = yield* Effect.promise(() => import("./why.ts"))
  yield* whyCommand(flags)
})).pipe(Command.withDescription("why nodes run, or last ran: which part of their key changed"))

const diff = Command.make("diff", {
  ...session,
  words: Argument.String("words").pipe(Argument.withDescription("pipeline.yaml, and two cells (\"axis=value axis=value\", each in one argument), runs (last, last~1, an id) or git revisions"), Argument.variadic()),
  stage: text("stage", "look at this stage instead of the first that differs"),
  full: toggle("full", "every figure and line")
}, Effect.fn(function*(flags) {
  const { diffCommand } = yield* Effect.promise(() => import("./diff.ts"))
  yield* diffCommand(flags)
})).pipe(Command.withDescription("two cells, runs or git revisions: the figures beside each other, and where they part first"))

const table = Command.make("table", {
  ...session,
  columns: text("columns", "axis whose values stand side by side, a column each for every metric, instead of as rows"),
  interval: toggle("interval", "95% intervals over test samples (paired bootstrap) instead of the sd over replicates"),
  against: many("against", "axis=value: the row that others are compared with; differences, intervals, corrected p-values, effect sizes"),
  by: text("by", "axes to group by, as in method,encoder; over the others that all rows have, means and ranks are taken"),
  iqm: toggle("iqm", "interquartile means over all runs, with intervals over seeds"),
  sort: text("sort", "task.metric that rows are ordered by, the best first"),
  run: text("run", "a run on record (its id, the beginning of it, last or last~1) instead of the pipeline as it is; needs no pipeline file"),
  format: text("format", "md, csv, latex, json or parquet instead of the terminal's"),
  output: Flag.String("output").pipe(Flag.withAlias("o"), Flag.withDescription("file to write; its ending tells the format"), Flag.optional, Flag.map(Option.getOrUndefined))
}, Effect.fn(function*(flags) {
  const { tableCommand } = yield* Effect.promise(() => import("./table.ts"))
  yield* tableCommand(flags)
})).pipe(Command.withDescription("the comparison: methods x metrics, mean and sd over replicates"))

const audit = Command.make("audit", {
  ...session,
  metres: Flag.Finite("metres").pipe(Flag.withDescription("a test sample this near to a training sample is told (default: 1000)"), Flag.withDefault(1000)),
  nearDuplicates: Flag.Int("near-duplicates").pipe(Flag.withDescription("also read all pixels and compare perceptual hashes: how many of 64 bits may differ (4)"), Flag.optional, Flag.map(Option.getOrUndefined))
}, Effect.fn(function*(flags) {
  const { auditCommand } = yield* Effect.promise(() => import("./audit.ts"))
  yield* auditCommand(flags)
})).pipe(Command.withDescription("whether the figures can be believed: leaks between train and test, what fits were handed, what metrics cannot say"))

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

const lineage = Command.make("lineage", {
  ...session,
  run: text("run", "a run on record (its id, the beginning of it, last or last~1) instead of the pipeline as it is; needs no pipeline file"),
  format: Flag.Literals("format", ["tree", "mermaid", "dot", "json"]).pipe(Flag.withDescription("how the chain is drawn (default: tree)"), Flag.withDefault("tree")),
  expand: toggle("expand", "every node by itself, where a step of several cells would stand as one"),
  full: toggle("full", "all parameters, the columns that were read, the packages, all files, what stages said"),
  sample: text("sample", "a sample's id: its image, embedding rows, annotations, roles and predictions"),
  uses: text("uses", "upward: which metrics a sample, a file of the data, a stage or a digest of code or of a file reached")
}, Effect.fn(function*(flags) {
  const { lineageCommand } = yield* Effect.promise(() => import("./lineage.ts"))
  yield* lineageCommand(flags)
})).pipe(Command.withDescription("what stands behind a number: outcrop lineage class.accuracy method=dtl fold=0"))

const verify = Command.make("verify", {
  words,
  cache: session.cache,
  repair: toggle("repair", "remove what is damaged and rebuild the index, so that the next run makes it again"),
  json: session.json
}, Effect.fn(function*(flags) {
  const { verifyCommand } = yield* Effect.promise(() => import("./verify.ts"))
  yield* verifyCommand(flags)
})).pipe(Command.withDescription("whether everything in the cache is what it claims to be"))

const gc = Command.make("gc", {
  words: Argument.String("pipelines").pipe(Argument.withDescription("the pipelines whose results are to stay (default: pipeline.yaml)"), Argument.variadic()),
  cache: session.cache,
  data: session.data,
  dryRun: toggle("dry-run", "say what would go, and remove nothing"),
  olderThan: Flag.String("older-than").pipe(Flag.withDescription("what was made, or used by a run, since then stays: 30d, 12h, 2w (default: 30d)"), Flag.withDefault("30d")),
  runs: Flag.Int("runs").pipe(Flag.withDescription("what the last so many runs came to stays too"), Flag.optional, Flag.map(Option.getOrUndefined)),
  keepEmbeddings: toggle("keep-embeddings", "all embedded rows stay"),
  json: session.json
}, Effect.fn(function*(flags) {
  const { gcCommand } = yield* Effect.promise(() => import("./gc.ts"))
  yield* gcCommand(flags)
})).pipe(Command.withDescription("remove from the cache what no named pipeline, tag or recent run reaches"))

const tag = Command.make("tag", {
  ...session,
  run: text("run", "what this run came to, in place of what the pipeline has now"),
  list: toggle("list", "show the tags"),
  delete: text("delete", "remove this tag"),
}, Effect.fn(function*(flags) {
  const { tagCommand } = yield* Effect.promise(() => import("./tag.ts"))
  yield* tagCommand(flags)
})).pipe(Command.withDescription("name the results of picked cells or of a run, so that gc keeps them: outcrop tag paper method=tg-matl"))

const importing = Command.make("import", {
  folder: Argument.String("folder").pipe(Argument.withDescription("a cache, or a folder with .outcrop in it")),
  cache: session.cache,
  json: session.json
}, Effect.fn(function*(flags) {
  const { importCommand } = yield* Effect.promise(() => import("./import.ts"))
  yield* importCommand(flags)
})).pipe(Command.withDescription("take over the results of another cache, checked on the way in"))

const replay = Command.make("replay", {
  ...session,
  jobs: Flag.Int("jobs").pipe(Flag.withAlias("j"), Flag.withDescription("worker threads (default: the cores)"), Flag.withDefault(availableParallelism())),
  tolerance: Flag.Finite("tolerance").pipe(Flag.withDescription("how far numbers may be off, as a part of their size (below 1: of 1), and still count as equal (default: 1e-6)"), Flag.withDefault(1e-6)),
  withInstalled: toggle("with-installed", "of an export: compare although the installed code is not the exported code"),
  withCode: toggle("with-code", "of an export: run the code of the author's own that it brings")
}, Effect.fn(function*(flags) {
  const { replayCommand } = yield* Effect.promise(() => import("./replay.ts"))
  yield* replayCommand(flags)
})).pipe(Command.withDescription("compute results again in an empty cache and compare: outcrop replay method=dtl fold=0, or the folder of an export"))

const exported = Command.make("export", {
  ...session,
  run: text("run", "a run on record (its id, the beginning of it, or last) instead of the pipeline as it is"),
  withEmbeddings: toggle("with-embeddings", "put embeddings and fitted weights in as well; they are large"),
  openlineage: toggle("openlineage", "write the lineage as OpenLineage events too")
}, Effect.fn(function*(flags) {
  const { exportCommand } = yield* Effect.promise(() => import("./export.ts"))
  yield* exportCommand(flags)
})).pipe(Command.withDescription("a folder for the supplement of a paper (RO-Crate, W3C PROV): outcrop export pipeline.yaml method=dtl <folder>"))

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
  Command.withSubcommands([run, plan, status, why, diff, table, audit, lineage, replay, exported, get, logs, verify, gc, tag, importing, stages, schema, init])
)

/** Usage errors in two lines, not the whole help. */
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation" ?
      Console.error(`${event.errors.map((error) => `error: ${error.message}`).join("\n")}\nTry '${event.commandPath.join(" ")} --help'.`) :
      CliOutput.defaultPresenter.present(event)
}

/** The command with these words; what goes wrong is told on stderr, and fails with a `CommandError` that has the exit code. */
export const program = (words: ReadonlyArray<string>) => Command.runWith(outcrop, { version })(words).pipe(
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
  ))
)
