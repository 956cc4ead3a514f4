/**
 * Compiles the kernels in `kernels/` (AssemblyScript), each to a module of bytes in `bytes/`, so that no user needs a compiler and a stage's
 * closure carries only those that it uses. Run it after a change: node wasm/build.ts
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { main } from "assemblyscript/asc"

export const kernels = readdirSync(new URL("kernels", import.meta.url)).map((file) => file.replace(/\.ts$/, ""))

/** The text of `bytes/<name>.ts` as it follows from the source. */
export const compile = async (name: string): Promise<string> => {
  let binary: Uint8Array | undefined
  const { error, stderr } = await main(
    [`${name}.ts`, "--outFile", "out.wasm", "--importMemory", "--initialMemory", "1", "--runtime", "stub", "--noAssert", "-O3", "--enable", "simd"],
    {
      readFile: (file) => file === `${name}.ts` ? readFileSync(new URL(`kernels/${file}`, import.meta.url), "utf8") : null,
      writeFile: (file, contents) => {
        if (file === "out.wasm" && typeof contents !== "string") binary = contents
      },
      listFiles: () => []
    }
  )
  if (error !== null || binary === undefined) throw new Error(`${name}.ts does not compile: ${stderr.toString()}`)
  const base64 = Buffer.from(binary).toString("base64").replace(/.{1,140}/g, (line) => `  "${line}",\n`)
  return `/** \`../kernels/${name}.ts\` as WebAssembly, base64. Written by \`../build.ts\`; do not edit. */\nexport const bytes = [\n${base64.slice(0, -2)}\n].join("")\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(new URL("bytes", import.meta.url), { recursive: true })
  for (const name of kernels) writeFileSync(new URL(`bytes/${name}.ts`, import.meta.url), await compile(name))
}
