import { PrismaClient } from '@prisma/client';

const makeClient = () =>
  new PrismaClient({ log: ['warn'] }).$extends({ name: 'audit' });

declare const globalThis: { prismaGlobal: ReturnType<typeof makeClient> } & typeof global;

const prisma = globalThis.prismaGlobal ?? makeClient();

export default prisma;
export { prisma };

if (process.env.NODE_ENV !== 'production') globalThis.prismaGlobal = prisma;

process.on('beforeExit', async () => {
  await prisma.$disconnect();
});
