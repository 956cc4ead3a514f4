#!/usr/bin/env node
/*
 * The command `outcrop` as it is published: starts dist/outcrop-cli.js on the Node that is installed beside it (the dependency `node`),
 * because the machine's own may lack node:sqlite, and another V8 may round Math.exp another way. CommonJS that Node 18 understands.
 */
"use strict"
const { spawn } = require("node:child_process")
const { existsSync, realpathSync } = require("node:fs")
const { isBuiltin, registerHooks } = require("node:module")
const { dirname, join } = require("node:path")

/** The Node that npm installed beside outcrop; `undefined` where the install script of the package `node` did not run. */
const installedNode = () => {
  try {
    const file = join(dirname(require.resolve("node/package.json")), "bin", process.platform === "win32" ? "node.exe" : "node")
    return existsSync(file) ? realpathSync(file) : undefined
  } catch {
    return undefined
  }
}
/** What outcrop needs of a Node: 22.15 and later have it. */
const thisNodeWillDo = typeof registerHooks === "function" && isBuiltin("node:sqlite")

const node = installedNode() ?? (thisNodeWillDo ? process.execPath : undefined)
if (node === undefined) {
  process.stderr.write(`outcrop: the Node that comes with it is missing, because npm did not run the install script of the package "node"; and this one, ${process.version}, is too old.
Let npm run that script:    npm rebuild node
or start outcrop with Node 22.15 or later.
`)
  process.exit(1)
}

// node:sqlite does what is asked of it, but Node 22 calls it experimental, once in each thread
const args = ["--disable-warning=ExperimentalWarning", join(__dirname, "dist", "outcrop-cli.js"), ...process.argv.slice(2)]

// Under npx and npm run this is that Node already: it becomes the command, rather than standing between the command and the terminal.
if (node === process.execPath && process.execve !== undefined && process.platform !== "win32") process.execve(node, [node, ...args], process.env)

const child = spawn(node, args, { stdio: "inherit" })
// A terminal sends Ctrl-C to both processes; passed on, it would count as the second one, which stops the command at once.
const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (signal !== "SIGINT" || !terminal) child.kill(signal)
  })
}
child.on("error", (error) => {
  process.stderr.write(`outcrop: ${node} cannot be started: ${error.message}\n`)
  process.exit(1)
})
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})
