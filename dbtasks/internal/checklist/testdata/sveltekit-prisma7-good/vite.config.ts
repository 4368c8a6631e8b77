import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';

export default defineConfig({
	plugins: [sveltekit()],
	server: {
		port: Number(process.env.PORT ?? 3000),
		watch: { ignored: ['**/src/generated/**', '**/pgdata/**'] }
	},
	optimizeDeps: { exclude: ['@prisma/client', '@prisma/adapter-pg'] },
	ssr: { external: ['@prisma/client', '@prisma/adapter-pg', 'pg'] },
	test: { setupFiles: ['./vitest.setup.ts'] }
});
