import { defineConfig } from 'vite';
import { api } from './server/plugin.js';

export default defineConfig(({ mode }) => ({
	plugins: [api()],
	server: { port: 3000, strictPort: mode !== 'production' }
}));
