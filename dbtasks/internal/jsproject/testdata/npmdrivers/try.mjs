// Tries one driver with one URL: 12 queries at once, each telling its backend's
// pid. Prints {"connections": N} or {"error": "…", "code": "SQLSTATE"}.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import net from 'node:net';

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
  async '@neondatabase/serverless'() {
    const { Pool, neonConfig } = await import('@neondatabase/serverless');
    await throughProxy(neonConfig);
    const pool = new Pool({ connectionString: url });
    return async () => (await pool.query(text)).rows[0].pid;
  },
  async '@vercel/postgres'() {
    // It brings a copy of Neon's driver with it, which is the one to configure.
    const require = createRequire(import.meta.url);
    const { createPool } = require('@vercel/postgres');
    await throughProxy(createRequire(require.resolve('@vercel/postgres'))('@neondatabase/serverless').neonConfig);
    // It takes an address without "-pooler." only where it is "localhost".
    const pool = createPool({ connectionString: url.replace('@127.0.0.1:', '@localhost:') });
    return async () => (await pool.query(text)).rows[0].pid;
  },
  async 'Bun SQL'() {
    const sql = new Bun.SQL(url);
    return async () => (await sql.unsafe(text))[0].pid;
  },
};
// Neon's driver speaks PostgreSQL's protocol within a WebSocket: a proxy takes
// it out again, as Neon's own does.
async function throughProxy(config) {
  const { WebSocket, WebSocketServer, createWebSocketStream } = await import('ws');
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const { port } = new URL(url);
  server.on('connection', (socket) => {
    const stream = createWebSocketStream(socket);
    const inner = net.connect(Number(port), '127.0.0.1');
    stream.on('error', () => inner.destroy());
    inner.on('error', () => stream.destroy());
    stream.pipe(inner).pipe(stream);
  });
  config.webSocketConstructor = WebSocket;
  config.wsProxy = () => `127.0.0.1:${server.address().port}/`;
  config.useSecureWebSocket = false;
  config.forceDisablePgSSL = true;
  config.pipelineTLS = false;
  config.pipelineConnect = false;
}
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
