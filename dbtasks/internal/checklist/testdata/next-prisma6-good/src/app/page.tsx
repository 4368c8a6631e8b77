import prisma from '~db';
import { Form } from './form';

export default async function Page() {
  return <main>{await prisma.user.count()}<Form /></main>;
}
