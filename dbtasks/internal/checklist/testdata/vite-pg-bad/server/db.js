import pg from 'pg';

const options = { connectionString: process.env.DATABASE_URL, connection_limit: 5 };

export const pool = new pg.Pool(options);
globalThis.pool = pool;
