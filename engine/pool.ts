/**
 * Worker threads for stages. A call that is interrupted takes its thread down at once (numeric code does not yield), and a thread that
 * dies fails only its own call; either way a new thread takes the place. Kernels inside are single-threaded: one thread a core is fastest
 * over a grid, and the bits do not depend on how many cores there are.
 */
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { dist } from "./installation.ts"
import type { FromWorker, Job } from "./protocol.ts"

// native engines read these when a thread first loads them
for (const [name, value] of Object.entries({ TF_NUM_INTRAOP_THREADS: "1", TF_NUM_INTEROP_THREADS: "1", TF_ENABLE_ONEDNN_OPTS: "0", TF_CPP_MIN_LOG_LEVEL: "3" })) process.env[name] ??= value

/** A stage failed: by its own word (`expected`), by a defect, or because its thread died. */
export class WorkFailed extends Data.TaggedError("WorkFailed")<{ readonly message: string; readonly expected: boolean; readonly lostPixels: boolean }> {}

export type Done = Extract<FromWorker, { readonly type: "done" }>

export class Pool {
  readonly size: number
  readonly #idle: Array<Worker> = []
  readonly #busy = new Set<Worker>()

  constructor(size: number) {
    this.size = size
  }

  /** How many more calls can start now. */
  get free(): number {
    return this.size - this.#busy.size
  }

  #spawn(): Worker {
    // geotiff's worker shim looks into workerData of every thread and fails where there is none
    const worker = new Worker(join(dist, "worker.js"), { env: {}, workerData: {}, stdout: false, stderr: false, execArgv: ["--disable-warning=ExperimentalWarning", "--no-deprecation"] })
    worker.unref()
    return worker
  }

  /** Runs a job on a free thread; call it only while `free` is above 0. */
  run(job: Job, onProgress: (done: number, total: number) => void): Effect.Effect<Done, WorkFailed> {
    return Effect.callback<Done, WorkFailed>((resume) => {
      const worker = this.#idle.pop() ?? this.#spawn()
      this.#busy.add(worker)
      worker.ref()
      const release = () => {
        worker.off("message", onMessage)
        worker.off("error", onError)
        worker.off("exit", onExit)
        this.#busy.delete(worker)
      }
      const settle = (result: Effect.Effect<Done, WorkFailed>, alive: boolean) => {
        release()
        worker.unref()
        if (alive) this.#idle.push(worker)
        resume(result)
      }
      const onMessage = (message: FromWorker) => {
        if (message.type === "progress") onProgress(message.done, message.total)
        else if (message.type === "done") settle(Effect.succeed(message), true)
        else settle(Effect.fail(new WorkFailed(message)), true)
      }
      const onError = (error: Error) => settle(Effect.fail(new WorkFailed({ message: `the worker thread failed: ${error.message}`, expected: false, lostPixels: false })), false)
      const onExit = (code: number) => settle(Effect.fail(new WorkFailed({ message: `the worker thread ended with code ${code}, perhaps out of memory: try --jobs 1`, expected: false, lostPixels: false })), false)
      worker.on("message", onMessage)
      worker.on("error", onError)
      worker.on("exit", onExit)
      worker.postMessage(job)
      return Effect.promise(async () => {
        release()
        await worker.terminate()
      })
    })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#idle, ...this.#busy].map((worker) => worker.terminate()))
    this.#idle.length = 0
    this.#busy.clear()
  }
}
