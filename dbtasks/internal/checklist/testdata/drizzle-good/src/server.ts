import { db } from './db';
import { users } from './schema';

console.log(await db.select().from(users));
