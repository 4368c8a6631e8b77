import { prisma } from './db';

export const names: string[] = [];
export const load = () => prisma.user.findMany();
