import { prisma } from "$lib/server/prisma";
export const load = async () => ({ n: await prisma.order.count() });
