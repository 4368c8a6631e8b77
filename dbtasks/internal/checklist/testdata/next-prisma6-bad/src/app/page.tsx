import { prisma } from '~db';
import Users from '@/app/users';

export default async function Page() {
  return <main>{await prisma.user.count()}<Users names={[]} /></main>;
}
