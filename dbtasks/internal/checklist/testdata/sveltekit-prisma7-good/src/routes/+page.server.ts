import { prisma } from '$lib/server';

export const load = async () => ({ users: await prisma.user.count() });
