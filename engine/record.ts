import { hostname } from "node:os"
import type { Action, Earlier } from "../cache/action.ts"
import type { Node } from "./expand.ts"
import { keyOf, withTrace } from "./key.ts"
import type { Missing } from "./lookup.ts"
import type { MemberResult } from "./protocol.ts"

/** The action of a node that has just run. An ingest stage's key is known only now, with the files that it met. */
export const actionOf = (node: Node, missing: Missing, result: MemberResult, started: string, seconds: number): Action => {
  const preimage = missing.key === undefined ? withTrace(missing.preimage, result.trace) : missing.preimage
  return {
    version: 1,
    key: missing.key ?? keyOf(preimage),
    identity: node.identity,
    uses: node.implementation.stage.name,
    preimage,
    outputs: result.outputs,
    inline: Object.fromEntries(Object.entries(result.inline).map(([blob, bytes]) => [blob, Buffer.from(bytes).toString("base64")])),
    notices: result.notices,
    ...(result.timings === undefined || result.timings.length === 0 ? {} : { timings: result.timings }),
    ...(result.handed === undefined ? {} : { handed: result.handed }),
    ...(missing.staticKey === undefined ? {} : { trace: result.trace, staticKey: missing.staticKey }),
    started,
    seconds,
    host: hostname(),
    node: process.version
  }
}

const columnsOf = ({ outputs }: Action): Earlier["columns"] =>
  Object.fromEntries(Object.entries(outputs).flatMap(([port, { columns }]) => Object.entries(columns).map(([name, { digest }]) => [`${port}.${name}`, digest])))

/** An action with what its key gave `before`, where that was something else: two results of one key are remembered, and never taken for one. */
export const remembering = (before: Action | undefined, action: Action): Action => {
  if (before === undefined) return action
  const columns = columnsOf(before), now = columnsOf(action), names = [...new Set([...Object.keys(columns), ...Object.keys(now)])]
  const changed = names.some((name) => columns[name] !== now[name])
  const earlier = [...before.earlier ?? [], ...changed ? [{ started: before.started, host: before.host, columns }] : []]
  return earlier.length === 0 ? action : { ...action, earlier }
}
