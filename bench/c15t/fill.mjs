// Stores so many records in a new database: `node fill.mjs DATABASE SETTINGS RECORDS`. The first is posted to c15t; the
// others are its rows under other ids, since posting them takes hours. With 0 there is the schema only.

import { ORIGIN, open } from './backend.mjs';

const [path, settings, records] = process.argv.slice(2);
const { c15t, database } = await open(path, settings);

if (Number(records) > 0) {
    const answer = await c15t.handler(
        new Request('http://127.0.0.1/api/c15t/subjects', {
            method: 'POST',
            headers: { 'content-type': 'application/json', origin: ORIGIN },
            body: JSON.stringify({
                type: 'cookie_banner',
                domain: new URL(ORIGIN).hostname,
                preferences: {
                    necessary: true,
                    functionality: true,
                    experience: true,
                    measurement: true,
                    marketing: true,
                },
                subjectId: 'sub_111D6CXdJMuU2nFSVHBCPXWQEZ',
                jurisdiction: 'GDPR',
                jurisdictionModel: 'opt-in',
                givenAt: Date.now(),
                uiSource: 'banner',
                consentAction: 'all',
            }),
        }),
    );
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);

    const only = (table) => database.prepare(`select * from ${table}`).get();
    const inserting = (table, row) => {
        const columns = Object.keys(row);
        return database.prepare(
            `insert into ${table} (${columns.map((column) => `"${column}"`)}) values (${columns.map((column) => `@${column}`)})`,
        );
    };
    const [subject, consent] = [only('subject'), only('consent')];
    const [addSubject, addConsent] = [inserting('subject', subject), inserting('consent', consent)];
    const numbered = (id, number) => id.slice(0, -8) + String(number).padStart(8, '0');
    database.transaction(() => {
        for (let number = 1; number < Number(records); number += 1) {
            const subjectId = numbered(subject.id, number);
            addSubject.run({ ...subject, id: subjectId });
            addConsent.run({ ...consent, id: numbered(consent.id, number), subjectId });
        }
    })();
}
database.close();
