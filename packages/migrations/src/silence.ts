import type pg from 'pg'
import { askOnce } from './ask-once.ts'
import type { Connection } from './database.ts'
import { sqlStateOf } from './store-failure.ts'

/** How long a message has been without an answer when it is asked after. */
const ASK_AFTER_MS = 10_000
const ASK_MS = 5_000
/** So many questions in vain, one after the other: a packet more or less lost must not end the work of an hour. */
const MOST_IN_VAIN = 2

/**
 * Waits for an answer, however long a statement takes, but not for one that will never come: a network may swallow packets and tell
 * nobody. After 10 s without an answer the server is asked on another connection whether it still works on the statement; where it is
 * not, or nothing comes back either, twice in a row, the connection is ended, which fails what waits. That is within 30 s.
 */
export async function heard<T>(
  connection: Connection,
  pid: number | undefined,
  answer: Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const askLater = (inVain: number) => {
    timer = setTimeout(() => void ask(inVain), ASK_AFTER_MS).unref()
  }
  const ask = async (inVain: number) => {
    const isFine = await isAtWork(connection.config, pid)
    if (isOver) return
    if (isFine) return askLater(0)
    if (inVain + 1 < MOST_IN_VAIN) return askLater(inVain + 1)
    const { stream } = (connection.client as pg.Client).connection
    stream.destroy(new Error('the answer got lost: the server does not work on it, or cannot be asked'))
  }
  askLater(0)
  try {
    return await answer
  } finally {
    isOver = true
    clearTimeout(timer)
  }
}

async function isAtWork(config: pg.ClientConfig, pid: number | undefined): Promise<boolean> {
  try {
    const asked = `SELECT state FROM pg_stat_activity WHERE pid = ${pid ?? 'pg_backend_pid()'}`
    const { rows } = await askOnce(config, asked, ASK_MS)
    // A server that keeps no account of its statements says `disabled`.
    return rows.some(({ state }) => !String(state).startsWith('idle'))
  } catch (error) {
    return sqlStateOf(error) !== undefined // whoever refuses an answer is there
  }
}
