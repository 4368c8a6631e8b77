import pg from 'pg';

// As leaky.js, but idle sessions are closed after a while.
export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2, idleTimeoutMillis: 4000 });
pool.on('error', () => {});
