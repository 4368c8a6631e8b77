export { prisma as db } from './prisma';
export type { PrismaClient } from '../../generated/prisma/client';
