// Runs files of tests in one process, one after another, with one browser for all of them: `ENGINE=firefox node end2end/together.mjs
// FILE …`. Under `node --test` each file has a process of its own, and Firefox takes seconds to start.
import { basename, resolve } from 'node:path';
import { after, describe } from 'node:test';
import { pathToFileURL } from 'node:url';

const { launch } = await import(`./engines/${process.env.ENGINE}.mjs`);
// A world that is never empty, or the browser would end with each file's.
const open = await launch({ ours: [] });
after(() => open.close());

for (const file of process.argv.slice(2)) {
  // One at a time: a file's tests belong to the suite that is being described while it is loaded.
  await new Promise((loaded, failed) => {
    describe(basename(file), () => import(pathToFileURL(resolve(file)).href).then(loaded, failed));
  });
}
