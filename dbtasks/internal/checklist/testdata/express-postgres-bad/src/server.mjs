import express from 'express';
import { getSql } from './db.mjs';

const app = express();
app.get('/', async (request, response) => {
	const { default: connect } = await import('postgres');
	const own = connect(process.env.DATABASE_URL);
	response.json([await getSql()`select 1`, await own`select 'postgres()'`]);
});
app.listen(3000);
