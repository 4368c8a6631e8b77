import { pool } from './db.js';

export const users = async () => (await pool.query('select 1')).rows;
