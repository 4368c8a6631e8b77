// Tries one driver with one URL: 12 queries at once, each telling its backend's
// pid. Prints {"connections": N} or {"error": "…", "code": "SQLSTATE"}.
const [driver, url] = process.argv.slice(2);
const text = 'select pg_backend_pid() as pid, pg_sleep(0.15)';
const drivers = {
  async pg() {
    const { default: pg } = await import('pg');
    const pool = new pg.Pool({ connectionString: url });
    pool.on('error', () => {});
    return async () => (await pool.query(text)).rows[0].pid;
  },
  async postgres() {
    const { default: postgres } = await import('postgres');
    const sql = postgres(url);
    return async () => (await sql.unsafe(text))[0].pid;
  },
  async '@prisma/adapter-pg'() {
    const { PrismaPg } = await import('@prisma/adapter-pg');
    const db = await new PrismaPg({ connectionString: url }).connect();
    return async () => Number((await db.queryRaw({ sql: 'select pg_backend_pid() as pid, pg_sleep(0.15)::text', args: [], argTypes: [] })).rows[0][0]);
  },
  async 'drizzle-orm over pg'() {
    const { drizzle } = await import('drizzle-orm/node-postgres');
    const db = drizzle(url);
    return async () => (await db.execute(text)).rows[0].pid;
  },
  async 'drizzle-orm over postgres'() {
    const { drizzle } = await import('drizzle-orm/postgres-js');
    const db = drizzle(url);
    return async () => (await db.execute(text))[0].pid;
  },
  async kysely() {
    const [{ Kysely, PostgresDialect, sql }, { default: pg }] = await Promise.all([import('kysely'), import('pg')]);
    const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }) });
    return async () => (await sql.raw(text).execute(db)).rows[0].pid;
  },
  async knex() {
    const { default: knex } = await import('knex');
    const db = knex({ client: 'pg', connection: url });
    return async () => (await db.raw(text)).rows[0].pid;
  },
  async typeorm() {
    const { DataSource } = await import('typeorm');
    const db = await new DataSource({ type: 'postgres', url }).initialize();
    return async () => (await db.query(text))[0].pid;
  },
  async sequelize() {
    const { Sequelize } = await import('sequelize');
    const db = new Sequelize(url, { logging: false });
    return async () => (await db.query(text))[0][0].pid;
  },
  async '@mikro-orm/postgresql'() {
    const { MikroORM } = await import('@mikro-orm/postgresql');
    const orm = await MikroORM.init({ clientUrl: url, entities: [], discovery: { warnWhenNoEntities: false } });
    return async () => (await orm.em.fork().getConnection().execute(text))[0].pid;
  },
  async 'pg-promise'() {
    const { default: pgp } = await import('pg-promise');
    const db = pgp()(url);
    return async () => (await db.one(text)).pid;
  },
};
const timer = setTimeout(() => done({ error: 'no answer within 30 s' }), 30000);
function done(result) {
  clearTimeout(timer);
  console.log(JSON.stringify(result));
  process.exit(0);
}
try {
  const query = await drivers[driver]();
  const pids = await Promise.all(Array.from({ length: 12 }, query));
  done({ connections: new Set(pids).size });
} catch (e) {
  const cause = e.cause?.originalCode ?? e.cause?.code ?? e.original?.code ?? e.parent?.code ?? e.code ?? '';
  done({ error: String(e.cause?.originalMessage ?? e.cause?.message ?? e.message), code: String(cause) });
}
