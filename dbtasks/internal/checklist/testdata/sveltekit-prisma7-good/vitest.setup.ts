import { afterAll } from 'vitest';
import { prisma } from '$lib/server/prisma';

afterAll(async () => {
	await prisma.$disconnect();
});
