const DAY_MS = 86_400_000

/** A length of time in its two largest units: `4s`, `3m12s`, `2h05m`, `3d04h`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const [minutes, hours, days] = [
    Math.floor(seconds / 60),
    Math.floor(seconds / 3600),
    Math.floor(seconds / 86_400),
  ]
  if (minutes === 0) return `${seconds}s`
  if (hours === 0) return `${minutes}m${two(seconds % 60)}s`
  if (days === 0) return `${hours}h${two(minutes % 60)}m`
  return `${days}d${two(hours % 24)}h`
}

/** A moment on the clock of whoever looks: `14:03:07`, with its day when that is not today. */
export function clockTime(at: Date, now = new Date()): string {
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
  const isToday = Math.abs(now.getTime() - at.getTime()) < DAY_MS && now.getDate() === at.getDate()
  return isToday ? time : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
