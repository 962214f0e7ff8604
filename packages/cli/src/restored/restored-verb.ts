import { readVerb } from '../arguments/verb-specs.ts'
import { ExitError } from '../exit-error.ts'
import { jsonText } from '../json-text.ts'
import { confirm } from '../operator/confirm.ts'
import { readOperator } from '../operator/operator.ts'
import type { Output } from '../output.ts'
import { patiently } from '../patiently.ts'
import { printable } from '../printable.ts'
import { readEtcdAddress } from '../store/etcd-address.ts'
import { RESTORED_HELP } from './restored-help.ts'

const SPECS = {
  store: { type: 'string' },
  json: { type: 'boolean' },
  yes: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/**
 * `slotkeeper restored`: raises the token floor of a store in etcd that was restored from a backup.
 * @returns the exit code 0
 * @throws ExitError, SlotkeeperError
 */
export async function restoredVerb(argv: readonly string[], out: Output, err: Output): Promise<number> {
  const values = readVerb('restored', argv, SPECS)
  if (values === 'help') {
    out.write(RESTORED_HELP)
    return 0
  }
  const where = values.store === undefined ? 'SLOTKEEPER_STORE' : '--store'
  const text = values.store ?? (process.env.SLOTKEEPER_STORE || undefined)
  if (text === undefined || !/^etcd:/i.test(text))
    throw new ExitError(
      `${text === undefined ? '--store is missing' : `${where} names no store in etcd`}. Only etcd needs this: write --store etcd://HOST:PORT.`,
    )
  const { name, ...options } = readEtcdAddress(text, where, process.env)
  await confirm([`This will raise the fencing tokens of ${name}.`], readOperator(values), err)
  const { raiseTokenFloor } = await import('@slotkeeper/driver-etcd')
  const floor = await patiently(err, `raising the tokens of ${name}`, raiseTokenFloor(options))
  const report = { store: name, at: new Date().toISOString(), action: 'restored', tokenFloor: String(floor) }
  out.write(
    values.json ? `${jsonText(report, 2)}\n` : `${printable(`Tokens of ${name} go on above ${floor}.`)}\n`,
  )
  return 0
}
