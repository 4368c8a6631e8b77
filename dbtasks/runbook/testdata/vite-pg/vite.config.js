import { defineConfig, loadEnv } from 'vite';

process.env.DATABASE_URL ??= loadEnv('', process.cwd(), '').DATABASE_URL;

const api = {
	name: 'api',
	configureServer(server) {
		server.middlewares.use(async (req, res, next) => {
			if (req.url === '/static') return res.end('no database here');
			if (req.url !== '/') return next();
			try {
				const { pool } = await server.ssrLoadModule('/src/db.js');
				const answer = await pool.query('SELECT 1 AS n');
				res.end(String(answer.rows[0].n));
			} catch (e) {
				res.statusCode = 500;
				res.end(String(e));
			}
		});
	},
};

export default defineConfig({ plugins: [api] });
