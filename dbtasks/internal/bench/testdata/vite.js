// A dev server's stand-in: it listens on PORT and has CHILDREN child processes.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';

for (let i = 0; i < Number(process.env.CHILDREN ?? 0); i++) spawn('sleep', ['600'], { stdio: 'ignore' });
createServer((_, res) => res.end('ok')).listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening'));
