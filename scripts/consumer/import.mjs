import { everyEntry } from './every-entry.mjs'

await everyEntry((name) => import(name))
