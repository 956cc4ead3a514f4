import { hash } from "node:crypto"
import * as fs from "node:fs"
import { hostname } from "node:os"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Action } from "../../cache/action.ts"
import { canonical } from "../../cache/canonical.ts"
import { removeFolders, study } from "../pipeline.ts"

const folder = study()
let actions: ReadonlyArray<Action>
beforeAll(async () => {
  await folder.ran()
  actions = folder.files(".outcrop/actions").map((file) => JSON.parse(fs.readFileSync(file, "utf8").split("\n")[0]!) as Action)
})
afterAll(removeFolders)

describe("the key of a result", () => {
  it("is the hash of its pre-image, which stands beside it", () => {
    expect(actions).toHaveLength(17)
    for (const { key, preimage } of actions) expect(hash("sha256", `outcrop key 1\n${canonical(preimage)}`, "hex")).toBe(key)
  })

  it("holds code, parameters, and the content of the columns read; no paths, host, time or names of the pipeline's own", () => {
    const parts = new Set(actions.flatMap(({ preimage }) => Object.keys(preimage as object)))
    expect([...parts].toSorted()).toEqual(["code", "files", "ports", "stage", "version", "with"])
    for (const { preimage } of actions) {
      const text = canonical(preimage)
      for (const word of [folder.path, hostname(), "study", "./train.ts", "2026", "rate=1"]) expect(text).not.toContain(word)
    }
  })

  it("of a probe covers just the columns that it reads", () => {
    const { preimage } = actions.find(({ uses }) => uses === "probe/sums")!
    const { ports } = preimage as unknown as { readonly ports: Readonly<Record<string, { readonly columns: object }>> }
    expect(Object.fromEntries(Object.entries(ports).map(([port, { columns }]) => [port, Object.keys(columns)]))).toEqual({
      embeddings: ["sample_id", "view", "embedding"],
      annotations: ["sample_id", "class"],
      split: ["sample_id", "split"]
    })
  })

  it("does not change from version to version (else all of everybody's results run again: raise a version on purpose, then vitest -u)", async () => {
    const pinned = actions.filter(({ preimage, uses }) => {
      const parameters = (preimage as { readonly with: Readonly<Record<string, unknown>> }).with
      return (parameters["rate"] ?? 1) === 1 && uses !== "ingest/thirds" && uses !== "probe/sums"
    }).map(({ key, preimage, uses }) => ({ uses, key, preimage })).toSorted((a, b) => a.uses + a.key < b.uses + b.key ? -1 : 1)
    expect(pinned).toHaveLength(5)
    await expect(`${JSON.stringify(pinned, null, 2)}\n`).toMatchFileSnapshot("../golden/study.json")
  })
})
