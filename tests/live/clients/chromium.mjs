// Unpack the headless Chromium of the npm package below TMPDIR; prints the program's path.
import { readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.cwd(), "package.json"));
const main = require.resolve("@sparticuz/chromium");
const { default: chromium, inflate } = await import(pathToFileURL(main));
const packed = join(dirname(dirname(main)), "bin");
for (const name of await readdir(packed)) await inflate(join(packed, name));
console.log(await chromium.executablePath());
