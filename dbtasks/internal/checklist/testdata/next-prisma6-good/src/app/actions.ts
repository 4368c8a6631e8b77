'use server';
import { prisma } from '@/lib/db';

export async function save() { await prisma.user.create({ data: {} }); }
