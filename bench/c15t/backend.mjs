// c15t's backend as its documentation sets it up, on SQLite by way of better-sqlite3, migrated by its own migrator.

import { c15tInstance } from '@c15t/backend';
import { kyselyAdapter } from '@c15t/backend/db/adapters/kysely';
import { migrator } from '@c15t/backend/db/migrator';
import { DB } from '@c15t/backend/db/schema';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';

/// The site that its records are of; the load generator names it, too.
export const ORIGIN = 'https://shop.example';

/// Opens a database. Settings: `defaults` are SQLite's (a rollback journal, each commit on the disk); `wal` is what is
/// advised for many small commits (`journal_mode=wal`, `synchronous=normal`), under which an acknowledged record may be
/// lost with the machine's power.
export async function open(path, settings) {
    const database = new Database(path);
    if (settings === 'wal') {
        database.pragma('journal_mode = wal');
        database.pragma('synchronous = normal');
    } else if (settings !== 'defaults') {
        throw new Error(`no such settings: ${settings}`);
    }
    const adapter = kyselyAdapter({
        db: new Kysely({ dialect: new SqliteDialect({ database }) }),
        provider: 'sqlite',
    });
    const migration = await migrator({ db: DB.client(adapter), schema: 'latest' });
    await migration.execute();
    const c15t = c15tInstance({
        appName: 'bench',
        basePath: '/api/c15t',
        trustedOrigins: [ORIGIN],
        adapter,
    });
    return { c15t, database };
}
