/** Exports that come from anyone: refused by name, before anything of them is used. */
import { execFileSync } from "node:child_process"
import { hash } from "node:crypto"
import * as fs from "node:fs"
import { afterAll, describe, expect, it } from "vitest"
import { NotTrusted, openExport } from "../../lineage/export/crate.ts"
import { Folder as Written } from "../../lineage/export/folder.ts"
import { isInside, uriOf } from "../../lineage/export/paths.ts"
import { Folder, removeFolders } from "../pipeline.ts"

afterAll(removeFolders)

const entry = (id: string, text: string) => ({ "@id": id, "@type": "File", name: "x", contentSize: String(Buffer.byteLength(text)), sha256: hash("sha256", text, "hex") })

/** The smallest export, with a file outside of it. */
const exported = (): Folder => {
  const folder = new Folder({ "tiny.yaml": "name: tiny\n" })
  const written = new Written(folder.at("paper"))
  written.add("pipeline/tiny.yaml", "name: tiny\n", "")
  written.add("README.md", "Results of tiny\n", "")
  written.add("versions.json", "{}", "")
  written.add("tables/samples/fold=0/samples.csv", "sample_id\n", "")
  written.add("outcrop.json", JSON.stringify({ version: 1, outcrop: "0.1.0", pipeline: "pipeline/tiny.yaml", picks: {}, stages: [], set: [], backend: null, readsData: false }), "")
  written.add("nodes.json", JSON.stringify({ version: 1, nodes: [] }), "")
  written.add("lineage.json", JSON.stringify({ version: 1, axes: [], codes: [], cells: 1, nodes: [], of: {} }), "")
  written.add("ro-crate-metadata.json", JSON.stringify({ "@graph": [{ "@id": "./", "@type": "Dataset" }, ...written.files.map(({ bytes, path, sha256 }) => ({ "@id": uriOf(path), "@type": "File", contentSize: String(bytes), sha256 }))] }), "")
  written.finish()
  return folder
}
const list = (twin: Folder, change: (graph: Array<Record<string, unknown>>) => void) => {
  const metadata = "paper/ro-crate-metadata.json"
  const crate = JSON.parse(fs.readFileSync(twin.at(metadata), "utf8")) as { readonly "@graph": Array<Record<string, unknown>> }
  change(crate["@graph"])
  twin.write(metadata, JSON.stringify(crate))
}

it("opens an export that is as it was written, and reads its files", () => {
  const { asked, paths, read } = openExport(exported().at("paper"))
  expect(asked.pipeline).toBe("pipeline/tiny.yaml")
  expect(paths).toHaveLength(7)
  expect(read("README.md").toString()).toBe("Results of tiny\n")
  expect(() => read("../tiny.yaml")).toThrow(/holds no "\.\.\/tiny\.yaml"/)
})

it("checks a file once more when it is read", () => {
  const folder = exported(), { read } = openExport(folder.at("paper"))
  folder.edit("paper/README.md", "Results of", "Resalts of")
  expect(() => read("README.md")).toThrow(/README\.md was changed while it was read/)
  fs.rmSync(folder.at("paper/README.md"))
  fs.symlinkSync(folder.at("tiny.yaml"), folder.at("paper/README.md"))
  expect(() => read("README.md")).toThrow(/README\.md is a link/)
})

describe("a path inside of a folder", () => {
  it("is written plainly", () => {
    for (const path of ["a", "a/b.csv", "tables/fold=0/x%2Fy", "..a", "a..b/c"]) expect(isInside(path), path).toBe(true)
    for (const path of ["", ".", "..", "/", "/a", "../a", "a/../b", "a/..", "./a", "a//b", "a/", "a\\b", "C:/a", "c:a", "a\0b"]) expect(isInside(path), JSON.stringify(path)).toBe(false)
  })
})

const hostile: ReadonlyArray<readonly [what: string, change: (twin: Folder) => void, says: RegExp]> = [
  ["changed bytes", (twin) => twin.edit("paper/README.md", "Results of", "Resalts of"), /paper\/README\.md has another SHA-256/],
  ["a file larger than stated", (twin) => fs.appendFileSync(twin.at("paper/nodes.json"), " ".repeat(1 << 20)), /paper\/nodes\.json has \d+ bytes, ro-crate-metadata\.json states \d+/],
  ["a file that is not listed", (twin) => twin.write("paper/tables/samples/more.csv", "x"), /paper\/tables\/samples\/more\.csv is not listed/],
  ["a folder that is not listed", (twin) => void fs.mkdirSync(twin.at("paper/deep/er"), { recursive: true }), /paper\/deep is a folder of which/],
  ["a file that is gone", (twin) => fs.rmSync(twin.at("paper/versions.json")), /paper\/versions\.json is missing/],
  ["a link to a file", (twin) => {
    fs.renameSync(twin.at("paper/nodes.json"), twin.at("nodes.json"))
    fs.symlinkSync(twin.at("nodes.json"), twin.at("paper/nodes.json"))
  }, /paper\/nodes\.json is a link/],
  ["a link to a folder", (twin) => {
    fs.renameSync(twin.at("paper/tables"), twin.at("tables"))
    fs.symlinkSync(twin.at("tables"), twin.at("paper/tables"))
  }, /paper\/tables is a link/],
  ["metadata that are a link", (twin) => {
    fs.renameSync(twin.at("paper/ro-crate-metadata.json"), twin.at("crate.json"))
    fs.symlinkSync(twin.at("crate.json"), twin.at("paper/ro-crate-metadata.json"))
  }, /ro-crate-metadata\.json is a link/],
  ["metadata that are no JSON", (twin) => twin.write("paper/ro-crate-metadata.json", "{"), /is not the metadata of an RO-Crate/],
  ["a path that leads out", (twin) => list(twin, (graph) => graph.push(entry("../tiny.yaml", "name: tiny\n"))), /lists "\.\.\/tiny\.yaml", which leads out of the folder/],
  ["a path that leads out, encoded", (twin) => list(twin, (graph) => graph.push(entry("tables/%2e%2e/%2e%2e/tiny.yaml", "name: tiny\n"))), /lists "tables\/\.\.\/\.\.\/tiny\.yaml", which leads out/],
  ["an absolute path", (twin) => list(twin, (graph) => graph.push(entry("/etc/hostname", "x"))), /lists "\/etc\/hostname", which leads out/],
  ["a file stated twice", (twin) => list(twin, (graph) => graph.push(entry("README.md", "x"))), /lists "README\.md" twice/],
  ["a file without a digest", (twin) => list(twin, (graph) => graph.push({ "@id": "x", "@type": "File" })), /lists "x" without contentSize and sha256/],
  ["a size that is no number", (twin) => list(twin, (graph) => graph.push({ ...entry("x", "x"), contentSize: "1e9" })), /states no size or no SHA-256 for "x"/],
  ["documents of another shape", (twin) => {
    const text = JSON.stringify({ version: 9, nodes: [] })
    twin.write("paper/nodes.json", text)
    list(twin, (graph) => Object.assign(graph.find((each) => each["@id"] === "nodes.json")!, entry("nodes.json", text)))
  }, /nodes\.json is not as outcrop writes it/],
  ["a pipe in the place of a file", (twin) => {
    fs.rmSync(twin.at("paper/versions.json"))
    execFileSync("mkfifo", [twin.at("paper/versions.json")])
  }, /paper\/versions\.json is no plain file/],
  ["a folder in the place of a file", (twin) => {
    fs.rmSync(twin.at("paper/versions.json"))
    fs.mkdirSync(twin.at("paper/versions.json"))
  }, /paper\/versions\.json is a folder of which/],
  ["other numbers of nodes", (twin) => {
    const text = JSON.stringify({ version: 1, axes: [], codes: [], cells: 1, nodes: [{ stage: "a", address: "a", uses: "a", key: null, up: [] }], of: {} })
    twin.write("paper/lineage.json", text)
    list(twin, (graph) => Object.assign(graph.find((each) => each["@id"] === "lineage.json")!, entry("lineage.json", text)))
  }, /nodes\.json tells of 0 nodes, lineage\.json of 1/]
]

it.each(hostile)("refuses %s", (_, change, says) => {
  const twin = exported()
  change(twin)
  expect(() => openExport(twin.at("paper"))).toThrow(NotTrusted)
  expect(() => openExport(twin.at("paper"))).toThrow(says)
})
