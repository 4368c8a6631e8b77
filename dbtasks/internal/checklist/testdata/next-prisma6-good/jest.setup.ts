import { prisma } from '~db';

afterAll(() => prisma.$disconnect());
