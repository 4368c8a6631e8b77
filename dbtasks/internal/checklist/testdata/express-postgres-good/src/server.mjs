import process from 'node:process';
import express from 'express';
import { getSql } from './db.mjs';

const app = express();
app.get('/', async (request, response) => response.json(await getSql()`select 1`));
const server = app.listen(3000);

const shutdown = () => server.close(() => getSql().end({ timeout: 5 }));
process.on('SIGTERM', shutdown);
process.on('SIGINT', shutdown);
