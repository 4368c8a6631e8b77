import pg from 'pg';

// Every evaluation makes a pool, and nobody closes the one before.
export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2, idleTimeoutMillis: 0 });
pool.on('error', () => {});
