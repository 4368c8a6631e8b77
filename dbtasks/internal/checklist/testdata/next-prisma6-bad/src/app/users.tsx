'use client';
import { useState } from 'react';
import { names } from '@/lib/names';

export default function Users() {
  const [open] = useState(false);
  return <p>{open ? names.join() : "new PrismaClient()"}</p>;
}
