import pg from 'pg';

const kept = globalThis;
if (!kept.pool) {
	kept.pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 });
	kept.pool.on('error', () => {});
}
export const pool = kept.pool;
