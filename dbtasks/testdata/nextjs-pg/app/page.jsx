import { pool } from '../lib/db';

export const dynamic = 'force-dynamic';

export default async function Page() {
	const answer = await pool.query('SELECT 1 AS n');
	return <p>{answer.rows[0].n}</p>;
}
