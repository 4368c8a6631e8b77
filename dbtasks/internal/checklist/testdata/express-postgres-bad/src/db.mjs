import postgres from 'postgres';

let sql;

export function getSql() {
	if (!sql) sql = postgres(process.env.DATABASE_URL, { idle_timeout: 20 });
	return sql;
}
