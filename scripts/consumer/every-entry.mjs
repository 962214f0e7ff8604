// What a user does first: load every entry of every package by `load`, then take slots. Ends with an error where something is wrong.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

const sqliteWorks = Number(process.versions.napi) >= 10

export async function everyEntry(load) {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const name of Object.keys(dependencies)) {
    const manifest = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))
    for (const [entry, target] of Object.entries(manifest.exports)) {
      if (typeof target === 'string') continue
      const loaded = await load(name + entry.slice(1))
      assert.ok(Object.keys(loaded).length > 0, `${name} ${entry} exports nothing`)
    }
  }
  const { memoryDriver } = await load('@slotkeeper/driver-memory')
  const { sqliteDriver } = await load('@slotkeeper/driver-sqlite')
  const { isSlotkeeperError } = await load('@slotkeeper/core')
  await takeSlots(load, memoryDriver())
  const onFile = takeSlots(load, sqliteDriver({ path: `slots-${process.pid}.db` }))
  if (sqliteWorks) await onFile
  else await assert.rejects(onFile, (error) => isSlotkeeperError(error, 'SLOTKEEPER_UNSUPPORTED_RUNTIME'))
  const { createManager } = await load('@slotkeeper/core/node')
  const { parseSettings } = await load('@slotkeeper/core')
  const settings = parseSettings({ 'concurrency-enabled': 'true', 'concurrency-driver': 'memory' })
  const manager = await createManager(settings)
  assert.equal(manager.driverType, 'memory')
  await manager.close()
}

async function takeSlots(load, driver) {
  const { Manager, repository } = await load('@slotkeeper/core')
  const manager = new Manager({ driver })
  try {
    const repo = repository('acme/api', { concurrencyLimit: 1 })
    const result = await manager.withSlot({ repository: repo, run: 'acme/first' }, async (slot) => {
      const second = await manager.acquireSlot({ repository: repo, run: 'acme/second' })
      assert.equal(second.kind, 'refused')
      return slot.isHeld
    })
    assert.equal(result, true)
  } finally {
    await manager.close()
  }
}
