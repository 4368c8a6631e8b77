import { drizzle } from 'drizzle-orm/node-postgres';
import { Pool } from 'pg';
import * as schema from './schema';

const store = globalThis as { pool?: Pool };

if (!store.pool) {
	store.pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 5 });
	store.pool.on('error', console.error);
	for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => store.pool!.end());
}

export const db = drizzle({ client: store.pool, schema });
