import { prisma } from '@/lib/db';

test('counts', async () => { expect(await prisma.user.count()).toBe(0); });
