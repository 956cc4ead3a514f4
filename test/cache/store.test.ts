import { spawn } from "node:child_process"
import { hash } from "node:crypto"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { CacheError, Corrupt } from "../../cache/error.ts"
import { Store } from "../../cache/store.ts"

const home = fs.mkdtempSync(join(tmpdir(), "outcrop-store-"))
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))
let folders = 0
const folder = () => join(home, String(folders++))
const bytes = (text: string) => new TextEncoder().encode(text)
const flip = (path: string) => {
  const content = fs.readFileSync(path)
  content[Math.floor(content.length / 2)]! ^= 1
  fs.writeFileSync(path, content)
}
const filesBelow = (root: string): Array<string> =>
  fs.readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))

describe("blobs", () => {
  it("are found by the SHA-256 of their bytes, and the same bytes are kept once", () => {
    const store = Store.open(folder())
    const digest = store.putBlob(bytes("a table"))
    expect(digest).toBe(hash("sha256", "a table", "hex"))
    expect(store.putBlob(bytes("a table"))).toBe(digest)
    expect(filesBelow(join(store.root, "blobs"))).toEqual([store.blobPath(digest)])
    expect(Buffer.from(store.blob(digest)!).toString()).toBe("a table")
  })

  it("an empty one too", () => {
    const store = Store.open(folder())
    expect(store.blob(store.putBlob(new Uint8Array()))).toHaveLength(0)
  })

  it("one that is not there is undefined, not an error", () => {
    const store = Store.open(folder())
    expect(store.blob("0".repeat(64))).toBeUndefined()
    expect([store.blob("../../x"), store.hasBlob("../../x")]).toEqual([undefined, false])
    expect(() => store.blobPath("../../x")).toThrow(/"..\/..\/x" is no SHA-256/)
    expect(store.hasBlob("0".repeat(64))).toBe(false)
  })

  it("with a flipped bit is noticed when it is read, said, removed, and can be made again", () => {
    const store = Store.open(folder())
    const digest = store.putBlob(bytes("a table of some length"))
    flip(store.blobPath(digest))
    expect(() => store.blob(digest)).toThrow(Corrupt)
    expect(store.blob(digest)).toBeUndefined()
    store.putBlob(bytes("a table of some length"))
    expect(Buffer.from(store.blob(digest)!).toString()).toBe("a table of some length")
  })

  it("cut short by a power cut is noticed too", () => {
    const store = Store.open(folder())
    const digest = store.putBlob(bytes("a table of some length"))
    fs.truncateSync(store.blobPath(digest), 3)
    expect(() => store.blob(digest)).toThrow(/digest no longer matches/)
  })
})

describe("documents", () => {
  it("read back as written, whatever lines they have, and a newer one takes the place", () => {
    const store = Store.open(folder())
    for (const text of ["{}", "", "two\nlines\n", "näher \u2028"]) {
      store.putDocument("actions", "ab12", text)
      expect(store.document("actions", "ab12")).toBe(text)
    }
    expect(store.documents("actions")).toEqual(["ab12"])
  })

  it("damaged or cut short are as if they were not there", () => {
    const store = Store.open(folder())
    const path = join(store.root, "actions", "ab", "ab12.json")
    store.putDocument("actions", "ab12", "{\"key\":1}")
    flip(path)
    expect(store.document("actions", "ab12")).toBeUndefined()
    for (const length of [0, 1, 9, 20]) {
      store.putDocument("actions", "ab12", "{\"key\":1}")
      fs.truncateSync(path, length)
      expect(store.document("actions", "ab12"), `cut to ${length} bytes`).toBeUndefined()
    }
  })
})

describe("a store", () => {
  it("killed in the middle of writing holds whole files only, and opens again", async () => {
    const root = folder()
    for (let kill = 0; kill < 3; kill++) {
      const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", fileURLToPath(new URL("../fixtures/writer.ts", import.meta.url)), root], { stdio: ["ignore", "pipe", "inherit"] })
      await new Promise((resolve) => child.stdout.once("data", resolve))
      await new Promise((resolve) => setTimeout(resolve, 40 + 17 * kill))
      const ended = new Promise((resolve) => child.once("exit", resolve))
      child.kill("SIGKILL")
      await ended
    }
    const store = Store.open(root)
    const blobs = filesBelow(join(root, "blobs")), documents = store.documents("actions")
    expect(blobs.length).toBeGreaterThan(3)
    for (const path of blobs) expect(hash("sha256", fs.readFileSync(path), "hex")).toBe(path.slice(-64))
    for (const name of documents) {
      const text = store.document("actions", name)
      expect(text, `${name} is whole`).toBeDefined()
      expect(store.hasBlob((JSON.parse(text!) as { readonly blob: string }).blob), "what a document promises was there before it").toBe(true)
    }
  })

  it("whose making was killed before its format was written opens", () => {
    const root = folder()
    Store.open(root)
    fs.writeFileSync(join(root, "format"), "")
    expect(() => Store.open(root)).not.toThrow()
    expect(fs.readFileSync(join(root, "format"), "utf8")).toBe("1\n")
  })

  it("of another format is refused, with both versions and what to do", () => {
    const root = folder()
    Store.open(root)
    fs.writeFileSync(join(root, "format"), "99\n")
    fs.rmdirSync(join(root, "tmp"))
    expect(() => Store.open(root)).toThrow(/has format 99, this outcrop reads format 1: use another --cache/)
    expect(fs.readdirSync(root), "nothing is made in it").not.toContain("tmp")
  })

  it("is not taken into the user's git", () => {
    const root = folder()
    Store.open(root)
    expect(fs.readFileSync(join(root, ".gitignore"), "utf8")).toBe("*\n")
  })

  it("where a file stands says so, and what to do", () => {
    const root = folder()
    fs.writeFileSync(root, "a file")
    expect(() => Store.open(join(root, "cache"))).toThrow(CacheError)
    expect(() => Store.open(join(root, "cache"))).toThrow(/a file stands where a folder is expected/)
  })
})
