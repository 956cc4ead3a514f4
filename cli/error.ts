import * as Data from "effect/Data"
import * as Runtime from "effect/Runtime"

/** The user's input is wrong (exit code 2) or a stage failed (1): said in one message, without a stack. */
export class CommandError extends Data.TaggedError("CommandError")<{ readonly message: string; readonly code: 1 | 2 | 3 }> {
  override readonly [Runtime.errorReported] = false
  override get [Runtime.errorExitCode](): number {
    return this.code
  }
}

export const userError = (message: string) => new CommandError({ message, code: 2 })
