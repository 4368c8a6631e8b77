import { Pool } from 'pg';

const url = new URL(process.env.DATABASE_URL);
const max = Number(url.searchParams.get('connection_limit')) || 5;

globalThis.pool ??= makePool();

function makePool() {
	const pool = new Pool({ connectionString: url.href, max, idleTimeoutMillis: 10_000 });
	pool.on('error', (error) => console.error('idle session ended:', error.message));
	process.once('SIGTERM', close);
	process.once('beforeExit', close);
	return pool;
}

async function close() {
	await globalThis.pool.end();
}

export const pool = globalThis.pool;
