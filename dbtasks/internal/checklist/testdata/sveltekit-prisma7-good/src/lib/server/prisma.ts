import { PrismaPg } from '@prisma/adapter-pg';
import { env } from '$env/dynamic/private';
import { PrismaClient } from '../../generated/prisma/client';

const limit = Number(new URL(env.DATABASE_URL!).searchParams.get('connection_limit') ?? 5);

const globalForPrisma = globalThis as unknown as { prisma?: PrismaClient };

function makeClient(): PrismaClient {
	const adapter = new PrismaPg({ connectionString: env.DATABASE_URL, max: limit });
	const client = new PrismaClient({ adapter });
	for (const signal of ['SIGINT', 'SIGTERM'] as const) {
		process.once(signal, () => void client.$disconnect().finally(() => process.exit(0)));
	}
	return client;
}

export const prisma = globalForPrisma.prisma ?? makeClient();

if (process.env.NODE_ENV !== 'production') globalForPrisma.prisma = prisma;
