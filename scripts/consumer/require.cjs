const { everyEntry } = require('./every-entry.mjs')

everyEntry(async (name) => require(name))
