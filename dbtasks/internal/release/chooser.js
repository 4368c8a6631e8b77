#!/usr/bin/env node
// Runs the dbtasks program of this platform, which is in a package of its own.
"use strict";
const { spawn } = require("node:child_process");

const name = `@pgrunbook/dbtasks-${process.platform}-${process.arch}`;
let program;
try {
  program = require.resolve(`${name}/bin/dbtasks${process.platform === "win32" ? ".exe" : ""}`);
} catch {
  console.error(`Error: dbtasks has no program for this platform here: the package ${name} is not installed; nothing was touched.
Next: npm install --save-dev ${name}, or install without --omit=optional`);
  process.exit(2);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit", windowsHide: false, env: { ...process.env, DBTASKS_PROGRAM: process.env.DBTASKS_PROGRAM || "npx dbtasks" } });
// Ctrl+C reaches the program itself, which decides when all is over.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP", "SIGQUIT"]) {
  if (process.platform !== "win32" || signal !== "SIGQUIT") process.on(signal, () => child.kill(signal));
}
child.on("error", (err) => {
  console.error(`Error: ${program} can't be run: ${err.message}; nothing was touched.`);
  process.exit(2);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
