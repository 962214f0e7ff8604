import type { RunKey } from '@slotkeeper/core/driver'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RunTable, type Tabled } from './run-table.ts'

class Row implements Tabled {
  readonly run: RunKey
  hash = 0
  below: this | undefined = undefined

  constructor(run: RunKey) {
    this.run = run
  }
}

test('a table says of every run what a map by run says, however rows come and go', () => {
  const steps = fc.array(fc.record({ name: fc.nat({ max: 40 }), leaves: fc.boolean() }), { maxLength: 200 })
  fc.assert(
    fc.property(steps, (all) => {
      const table = new RunTable<Row>()
      const map = new Map<RunKey, Row>()
      for (const { name, leaves } of all) {
        const run: RunKey = `acme/run-${name}`
        const known = map.get(run)
        if (known !== undefined && leaves) {
          table.delete(known)
          map.delete(run)
        } else if (known === undefined) {
          const row = new Row(run)
          table.add(row)
          map.set(run, row)
        }
        expect(table.get(run)).toBe(map.get(run))
        expect(table.size).toBe(map.size)
        const any = table.any()
        expect(any).toBe(any && map.get(any.run))
        expect(any === undefined).toBe(map.size === 0)
      }
      expect(new Set(table.values())).toEqual(new Set(map.values()))
    }),
  )
})

test('a row that is not in the table leaves it as it is', () => {
  const table = new RunTable<Row>()
  const row = new Row('acme/run')
  table.add(row)
  table.delete(new Row('acme/run'))
  table.delete(row)
  table.delete(row)
  expect(table.size).toBe(0)
  expect(table.get('acme/run')).toBe(undefined)
})
