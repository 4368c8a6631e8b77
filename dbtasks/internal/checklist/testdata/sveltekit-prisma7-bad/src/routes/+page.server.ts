import { db } from '$lib/server';
import type { PrismaClient } from '../generated/prisma/client';

const count = (client: PrismaClient) => client.user.count();

export const load = async () => ({ users: await count(db) });
