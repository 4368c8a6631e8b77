import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient as Client } from '../../../generated/prisma/client';

// const prisma = new PrismaClient();
const text = `new PrismaClient() ${'new Client()'}`;

export async function GET() {
	const db = new Client({
		adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL })
	});
	return new Response(text + (await db.user.count()));
}
