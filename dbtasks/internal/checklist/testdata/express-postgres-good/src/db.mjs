import postgres from 'postgres';

export function getSql() {
	if (globalThis.sql) return globalThis.sql;
	globalThis.sql = postgres(process.env.DATABASE_URL, { max: 5, idle_timeout: 20 });
	return globalThis.sql;
}
