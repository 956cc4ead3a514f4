/** A worker that has a cache alone for some time. */
import { parentPort, workerData } from "node:worker_threads"
import { claim } from "../../cache/lock.ts"

const { milliseconds, root } = workerData as { readonly root: string; readonly milliseconds: number }
const lock = claim(root)!
parentPort!.postMessage("had")
setTimeout(() => lock.release(), milliseconds)
