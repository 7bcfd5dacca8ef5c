// Bundles and minifies what browsers run: `node app/bundle.mjs FOLDER SOURCE OUTPUT FORM …` writes FOLDER/OUTPUT.js for each
// app/SOURCE.ts, as `esm` or `iife`. `cargo xtask build` calls this.
//
// esbuild bundles; SWC minifies, because what it leaves of the loader is 130 bytes less after brotli.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import swc from '@swc/core';
import esbuild from 'esbuild';

const [folder, ...rest] = process.argv.slice(2);
const scripts = Array.from({ length: rest.length / 3 }, (_, at) => rest.slice(3 * at, 3 * at + 3));

async function bundle([source, output, format]) {
  const { outputFiles } = await esbuild.build({
    entryPoints: [`app/${source}.ts`],
    bundle: true,
    charset: 'utf8',
    format,
    legalComments: 'none',
    logLevel: 'warning',
    target: 'es2021',
    // Without the "use strict" that esbuild gives whatever TypeScript checks strictly: twelve bytes in each.
    tsconfigRaw: {},
    write: false,
  });
  // Names of a module are its own; several of the others stand in one scope, each in a function of its own.
  const module = format == 'esm';
  const { code } = await swc.minify(outputFiles[0].text, {
    compress: { ecma: 2020, module, passes: 3, toplevel: module },
    ecma: 2020,
    mangle: { toplevel: module },
    module,
    toplevel: module,
  });
  await writeFile(join(folder, `${output}.js`), module ? code.replace(/;$/, '') : code);
}

await mkdir(folder, { recursive: true });
await Promise.all(scripts.map(bundle));
