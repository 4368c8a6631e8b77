import { expect, test } from 'vitest';
import { db } from '$lib/server';

test('there are users', async () => {
	expect(await db.user.count()).toBeGreaterThan(0);
});
