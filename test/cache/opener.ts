/** A worker that opens each cache of a list at the same moment as its companion does, and writes to it. */
import { parentPort, workerData } from "node:worker_threads"
import { openCache } from "../../cache/cache.ts"

const { arrived, roots } = workerData as { readonly roots: ReadonlyArray<string>; readonly arrived: Int32Array }
const failures: Array<string> = []
roots.forEach((root, round) => {
  Atomics.add(arrived, round, 1)
  while (Atomics.load(arrived, round) < 2);
  try {
    const { index } = openCache(root)
    index.putAddresses("pipeline", [[`node ${Math.random()}`, "key"]])
    index.close()
  } catch (cause) {
    failures.push(String(cause))
  }
})
parentPort!.postMessage(failures)
