// What the app's own tools read in each folder below process.argv[2], as JSON:
// { folder: { tool: { name: value } } }. The real environment is the same for all.
import fs from 'node:fs';
import path from 'node:path';
import { parseEnv } from 'node:util';
import dotenv from 'dotenv';
import { expand } from 'dotenv-expand';
import nextEnv from '@next/env';
import { loadDotenv } from 'c12';
import { loadEnv } from 'vite';
import { loadEnv as loadEnv7 } from 'vite7';

const real = { ...process.env };
const quiet = { info() {}, error() {} };
const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');
const attempt = (f) => {
  try {
    return f();
  } catch (e) {
    return { error: e.message };
  }
};
const all = {};
for (const folder of fs.readdirSync(process.argv[2])) {
  const dir = path.join(process.argv[2], folder);
  const env = read(path.join(dir, '.env'));
  const next = attempt(() => nextEnv.loadEnvConfig(dir, true, quiet, true).parsedEnv);
  // It leaves its values in the environment, where the others would find them.
  for (const name of Object.keys(process.env)) if (!(name in real)) delete process.env[name];
  Object.assign(process.env, real);
  const tools = {
    next,
    dotenv: attempt(() => dotenv.parse(env)),
    'dotenv-expand': attempt(() => expand({ parsed: dotenv.parse(env), processEnv: { ...real } }).parsed),
    node: attempt(() => parseEnv(env)),
    vite: attempt(() => loadEnv('development', dir, '')),
    vite7: attempt(() => loadEnv7('development', dir, '')),
  };
  for (const name of ['VITE_USER_NODE_ENV', 'BROWSER', 'BROWSER_ARGS']) delete process.env[name];
  tools.c12 = await loadDotenv({ cwd: dir, env: { ...real }, interpolate: true }).catch((e) => ({ error: e.message }));
  all[folder] = tools;
}
console.log(JSON.stringify(all));
