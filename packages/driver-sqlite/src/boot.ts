import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { StoreError } from '@slotkeeper/core/driver'

/**
 * Names the time since this machine's last start. Uptimes compare only within one boot.
 * @throws StoreError `SLOTKEEPER_UNSUPPORTED_RUNTIME` where the system does not tell
 */
export function bootId(platform: string = process.platform): string {
  let id = ''
  try {
    if (platform === 'linux') id = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')
    else if (platform === 'darwin')
      id = execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'latin1' })
  } catch (cause) {
    throw unsupported(platform, cause)
  }
  id = id.trim()
  if (id === '') throw unsupported(platform, undefined)
  return id
}

function unsupported(platform: string, cause: unknown): StoreError {
  return new StoreError(
    'SLOTKEEPER_UNSUPPORTED_RUNTIME',
    `The SQLite driver needs Linux or macOS with a readable boot id; ${platform} gave none.`,
    cause,
  )
}
