/** What happens to a loss that the tracer cannot write as a graph: TensorFlow runs it as it stands, where it is installed. */
import { Stage } from "outcrop"
import type { Engine } from "./program.ts"

/** What the tracer meets that it cannot write: a message that begins with "it ...", the loss. A loss's own mistakes are other errors. */
export class Obstacle extends Error {}

const messageOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)
/** The operation that an engine lacks, where an error is about that. */
export const lackedBy = (cause: unknown): string | undefined => /Kernel '(\w+)' not registered/.exec(messageOf(cause))?.[1]

/** Does a piece of a loss's work. Its own errors are told as such; what an engine cannot do is the engine's to tell. */
export const attempt = <A>(what: string, work: () => A): A => {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof Stage.StageError || cause instanceof Obstacle || lackedBy(cause) !== undefined) throw cause
    throw new Stage.StageError({ message: `${what}: ${messageOf(cause)}`, cause })
  }
}

/** A program that cannot be traced although it may well run elsewhere: `reason` completes "the loss ...". */
export class Untraceable extends Stage.StageError {
  readonly reason: string
  constructor(program: string, reason: string) {
    super({ message: `${program}: the loss ${reason}; run it with TensorFlow, which \`npm run tfjs\` (installed: \`node node_modules/outcrop/tfjs.mjs\`) makes ready, or write the loss without it` })
    this.reason = reason
  }
}

/** An engine that leaves to `second` what `first` cannot trace, with a notice; where `second` does not load, the error of `first` stands. */
export const withFallback = (first: Engine, second: Engine): Engine => ({
  compile: (program) =>
    first.compile(program).catch(async (cause: unknown) => {
      if (!(cause instanceof Untraceable)) throw cause
      const compiled = await second.compile(program).catch(() => {
        throw cause
      })
      return { ...compiled, notice: `${program.name}: the loss ${cause.reason}; it ran on TensorFlow instead, which is slower and rounds in its own way` }
    })
})
