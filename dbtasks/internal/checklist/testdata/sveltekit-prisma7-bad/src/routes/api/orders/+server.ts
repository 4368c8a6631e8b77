export async function GET() {
	const { PrismaClient } = await import('../../../generated/prisma/client');
	const db = new PrismaClient();
	return new Response(String(await db.order.count()));
}
