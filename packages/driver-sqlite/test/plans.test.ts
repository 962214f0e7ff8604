import { expect, test } from 'vitest'
import { SCHEMA } from '../src/schema.ts'
import { prepareStatements } from '../src/sql.ts'
import { Sqlite } from './support.ts'

test('no statement reads a whole table of runs, whether it is empty or full and analysed', () => {
  for (const rows of [0, 5000]) {
    const db = new Sqlite(':memory:')
    db.exec(SCHEMA)
    const insert = db.prepare(`INSERT INTO run VALUES (?, 1, 'waiting', 'h', 0, ?, NULL, '[]')`)
    for (let i = 0; i < rows; i++) insert.run(`acme/${i}`, i)
    if (rows > 0) db.exec('ANALYZE')
    const plans: Record<string, string> = {}
    for (const [name, { source }] of Object.entries(prepareStatements(db))) {
      const bound = /:\w/.test(source)
        ? [{ now: 1, limit: 1, repository: 'a' }]
        : (source.match(/\?/g) ?? []).map(() => 1)
      if (!/^(BEGIN|COMMIT|ROLLBACK|PRAGMA)/.test(source))
        plans[name] = db
          .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${source}`)
          .all(...bound)
          .map((step) => step.detail)
          .join('\n')
    }
    expect(Object.entries(plans).filter(([, plan]) => /SCAN run\b/.test(plan))).toEqual([])
    // By the first half of its key it would read the runs of all repositories that have the same name.
    expect(
      Object.keys(plans).filter((name) => /run USING PRIMARY KEY \(run=\?\)/.test(plans[name] ?? '')),
    ).toEqual([])
    db.close()
  }
})
