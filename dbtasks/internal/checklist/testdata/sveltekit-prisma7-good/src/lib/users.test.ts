import { expect, test } from 'vitest';
import { prisma } from '$lib/server';

test('there are users', async () => {
	expect(await prisma.user.count()).toBeGreaterThan(0);
});
